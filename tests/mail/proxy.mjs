// An HTTP proxy on loopback, as companies have them. It notes what it was asked for, and may refuse.

import http from 'node:http';
import net from 'node:net';

export class Proxy {
  static async start(stage) {
    const proxy = new Proxy();
    await new Promise((done) => proxy.server.listen(0, '127.0.0.1', done));
    stage.atEnd(() => {
      proxy.tunnels.forEach((socket) => socket.destroy());
      proxy.server.closeAllConnections();
      proxy.server.close();
    });
    return proxy;
  }

  constructor() {
    /** What it was asked for: `host:port` of each tunnel. */
    this.asked = [];
    /** An HTTP status with which it refuses, or 0. */
    this.refusal = 0;
    this.tunnels = new Set();
    this.server = http.createServer((request, response) => response.writeHead(405).end());
    this.server.on('connect', (request, socket) => this.tunnel(request.url, socket));
  }

  get url() { return `http://127.0.0.1:${this.server.address().port}`; }

  tunnel(target, socket) {
    this.asked.push(target);
    if (this.refusal) {
      socket.end(`HTTP/1.1 ${this.refusal} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`http://${target}`);
    const onward = net.connect(port || 80, hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const [one, other] of [[socket, onward], [onward, socket]]) {
      this.tunnels.add(one);
      one.on('error', () => other.destroy()).on('close', () => { this.tunnels.delete(one); other.destroy(); });
    }
  }
}
