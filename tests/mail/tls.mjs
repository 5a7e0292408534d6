// A private certificate authority for loopback.

import fs from 'node:fs';
import path from 'node:path';

import { command, mustEqual } from './harness.mjs';

/** A new authority in `dir`, and a certificate of it for this machine: paths of PEM files. */
export async function makeCertificate(dir) {
  const openssl = async (...args) => {
    const { code, stderr } = await command('openssl', args, { cwd: dir });
    mustEqual(code, 0, `exit code of openssl ${args[0]} (${stderr})`);
  };
  fs.writeFileSync(path.join(dir, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Private CA');
  await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  await openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'server.pem', '-days', '2', '-extfile', 'names');
  return { ca: path.join(dir, 'ca.pem'), certificate: path.join(dir, 'server.pem'), key: path.join(dir, 'server.key') };
}
