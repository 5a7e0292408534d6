// Mail programs as people run them: each with the configuration of its snippet, which is what the
// documentation prints. Only what a test must change is changed: host names, ports, trust.

import fs from 'node:fs';
import path from 'node:path';

import { command, must } from './harness.mjs';
import { asRoot, owner } from './mailserver.mjs';

const SNIPPETS = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), 'snippets');
/** A program that hangs on a refused token is ended after this. */
const PATIENCE = 20_000;

/** The person whose mail it is, as in the snippets. */
export const USER = 'you@example.com';

/** A message that no other is like. */
export function message(subject) {
  return `From: ${USER}\r\nTo: ${USER}\r\nSubject: ${subject}\r\nMessage-ID: <${subject.replace(/\W/g, '-')}.${Date.now()}@example.com>\r\n\r\nhello\r\n`;
}

/** A person's home directory on a machine with mail programs and pizauth. */
export class MailHome {
  constructor(stage, pizauth, server) {
    this.pizauth = pizauth;
    this.server = server;
    this.dir = stage.subdir(`mail-home-${MailHome.count += 1}`);
    const bin = path.join(this.dir, 'bin');
    fs.mkdirSync(bin);
    fs.symlinkSync(process.env.PIZAUTH, path.join(bin, 'pizauth'));
    this.env = { ...pizauth.env, HOME: this.dir, PATH: `${bin}:${process.env.PATH}`, SSL_CERT_FILE: server.tls.ca };
  }

  static count = 0;

  /** A snippet with parts of it exchanged. What is to be exchanged must be there. */
  snippet(name, changes) {
    let text = fs.readFileSync(path.join(SNIPPETS, name), 'utf8');
    for (const [from, to] of Object.entries(changes)) {
      must(text.includes(from), `the snippet ${name} has no ${JSON.stringify(from)}`);
      text = text.replaceAll(from, to);
    }
    return text;
  }

  /** Puts a file into this home; mail programs want their configuration private. */
  write(name, text) {
    const file = path.join(this.dir, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** A file's text; the file is gone then. */
  take(name) {
    const file = path.join(this.dir, name);
    const text = fs.readFileSync(file, 'utf8');
    fs.rmSync(file);
    return text;
  }

  makeMaildir(name, { uid, gid } = {}) {
    for (const part of ['', 'cur', 'new', 'tmp']) {
      const dir = path.join(this.dir, name, part);
      fs.mkdirSync(dir, { recursive: true });
      if (uid !== undefined) fs.chownSync(dir, uid, gid);
    }
  }

  run(file, args, { input = '', within = PATIENCE } = {}) {
    return command(file, args, { env: this.env, cwd: this.dir, input, within });
  }

  /** Everything below a directory of this home, as one text. */
  read(name) {
    const dir = path.join(this.dir, name);
    if (!fs.existsSync(dir)) return '';
    const files = fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map((entry) => fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'utf8')).join('\n');
  }

  /** `security` is 'tls', 'starttls' or 'plain'. */
  mbsync({ security = 'tls', user = USER, within } = {}) {
    const { tls, ports } = this.server;
    const type = { tls: 'IMAPS', starttls: 'STARTTLS', plain: 'None' }[security];
    const port = security === 'tls' ? ports.imaps : ports.imap;
    this.write('.mbsyncrc', this.snippet('mbsync.conf', {
      'Host imap.example.com': `Host localhost\nPort ${port}\nCertificateFile ${tls.ca}`,
      'SSLType IMAPS': `SSLType ${type}`,
      [`User ${USER}`]: `User ${user}`,
    }));
    fs.mkdirSync(path.join(this.dir, 'Mail/work'), { recursive: true });
    return this.run('mbsync', ['-c', path.join(this.dir, '.mbsyncrc'), 'work'], { within });
  }

  msmtp(text, { security = 'starttls', auth = 'xoauth2', user = USER } = {}) {
    const { tls, ports } = this.server;
    this.write('.msmtprc', this.snippet('msmtp.conf', {
      'host smtp.example.com': `host localhost\ntls_trust_file ${tls.ca}`,
      'port 587': `port ${security === 'tls' ? ports.submissions : ports.submission}`,
      '\ntls on\n': `\ntls ${security === 'plain' ? 'off' : 'on'}\n`,
      'tls_starttls on': `tls_starttls ${security === 'starttls' ? 'on' : 'off'}`,
      'auth xoauth2': `auth ${auth}`,
      [`user ${USER}`]: `user ${user}`,
    }));
    return this.run('msmtp', ['-a', 'work', USER], { input: text });
  }

  mpop({ security = 'tls', auth = 'xoauth2' } = {}) {
    const { tls, ports } = this.server;
    this.write('.mpoprc', this.snippet('mpop.conf', {
      'host pop.example.com': `host localhost\ntls_trust_file ${tls.ca}`,
      'port 995': `port ${security === 'tls' ? ports.pop3s : ports.pop3}\nkeep on`,
      '\ntls on\n': `\ntls ${security === 'plain' ? 'off' : 'on'}\n`,
      'tls_starttls off': `tls_starttls ${security === 'starttls' ? 'on' : 'off'}`,
      'auth xoauth2': `auth ${auth}`,
      '~/Mail/work': '~/pop',
    }));
    this.makeMaildir('pop');
    return this.run('mpop', ['work']);
  }

  /** The snippet is the shell command itself. */
  curlImap() {
    const { tls, ports } = this.server;
    return this.run('sh', ['-c', this.snippet('curl-imap.sh', {
      'imaps://imap.example.com/INBOX': `--cacert ${tls.ca} 'imaps://localhost:${ports.imaps}/INBOX;MAILINDEX=1'`,
    })]);
  }

  curlSmtp(text) {
    const { tls, ports } = this.server;
    this.write('message', text);
    return this.run('sh', ['-c', this.snippet('curl-smtp.sh', {
      'smtps://smtp.example.com': `--cacert ${tls.ca} smtps://localhost:${ports.submissions}`,
    })]);
  }

  writeMuttrc() {
    const { tls, ports } = this.server;
    return this.write('.muttrc', this.snippet('mutt.conf', {
      'imap.example.com:993': `localhost:${ports.imaps}`,
      'smtp.example.com:465': `localhost:${ports.submissions}`,
    }) + `set ssl_ca_certificates_file = "${tls.ca}"\nset wait_key = no\nset quit = yes\n`);
  }

  /** Sends with mutt or neomutt. */
  muttSends(program, subject) {
    return this.run(program, ['-n', '-F', this.writeMuttrc(), '-s', subject, USER], { input: 'hello\n' });
  }

  /** Opens the inbox in a terminal, and pipes its first message into the file `seen`. */
  muttReads(program) {
    const keys = 'push "<first-entry><pipe-message>cat > seen<enter><quit>"';
    return this.run('script', ['-qec', `TERM=vt100 ${program} -n -F ${this.writeMuttrc()} -e '${keys}'`, '/dev/null']);
  }

  getmail() {
    const { tls, ports } = this.server;
    this.write('.config/getmail/getmailrc', this.snippet('getmail.conf', {
      'imap.example.com': 'localhost',
      'port = 993': `port = ${ports.imaps}\nca_certs = ${tls.ca}`,
      '~/Mail/work/': `~/getmail/${asRoot ? '\nuser = nobody' : ''}`,
    }));
    this.makeMaildir('getmail', owner);
    // As root it delivers as nobody, who must get there.
    fs.chmodSync(this.dir, 0o711);
    return this.run('getmail', ['--getmaildir', path.join(this.dir, '.config/getmail')]);
  }

  offlineimap() {
    const { tls, ports } = this.server;
    this.write('.offlineimap.py', this.snippet('offlineimap.py', {}));
    this.write('.offlineimaprc', this.snippet('offlineimap.conf', {
      'imap.example.com': 'localhost',
      993: String(ports.imaps),
      'OS-DEFAULT': tls.ca,
      '~/Mail/work': '~/offline',
    }));
    return this.run('offlineimap', ['-o', '-c', path.join(this.dir, '.offlineimaprc'), '-u', 'basic']);
  }
}
