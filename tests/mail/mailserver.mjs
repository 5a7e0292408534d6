// A mail server that no one here wrote: Dovecot (IMAP, POP3, submission), which asks the provider
// about every token, and behind it a relay that puts what is sent into the recipient's mailbox.
// Knows nothing of pizauth.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { freePort, listening, until } from './harness.mjs';
import { makeCertificate } from './tls.mjs';

/** As root, mail belongs to nobody: Dovecot and the relay want a user without rights. */
const NOBODY = 65_534;
export const asRoot = process.getuid() === 0;
export const owner = asRoot ? { uid: NOBODY, gid: NOBODY } : { uid: process.getuid(), gid: process.getgid() };

export class MailServer {
  /** Starts one that believes `provider`, with an empty mailbox for `user`. */
  static async start(stage, provider, user) {
    const server = new MailServer(stage, user);
    for (const name of ['imap', 'imaps', 'pop3', 'pop3s', 'submission', 'submissions', 'relay']) server.ports[name] = await freePort();
    server.tls = await makeCertificate(server.dir);
    server.writeConfiguration(provider);
    server.start();
    await until('the mail server to listen', async () => (
      await Promise.all(Object.values(server.ports).map((port) => listening(port)))).every(Boolean));
    return server;
  }

  constructor(stage, user) {
    this.stage = stage;
    this.user = user;
    this.dir = stage.subdir('mailserver');
    this.mail = path.join(this.dir, 'mail');
    this.log = path.join(this.dir, 'log');
    this.ports = {};
    // The mail's owner must get at it through directories that are otherwise ours.
    for (const dir of [os.tmpdir(), stage.dir, this.dir]) if (fs.statSync(dir).uid === process.getuid()) fs.chmodSync(dir, fs.statSync(dir).mode | 0o011);
    fs.mkdirSync(this.mail, { mode: 0o700 });
    fs.chownSync(this.mail, owner.uid, owner.gid);
    stage.clue(() => `dovecot's log:\n${this.logged().split('\n').slice(-12).join('\n')}`);
  }

  logged() {
    return fs.existsSync(this.log) ? fs.readFileSync(this.log, 'utf8') : '';
  }

  start() {
    this.stage.start('/usr/bin/python3', ['-m', 'aiosmtpd', '-n', '-l', `127.0.0.1:${this.ports.relay}`, '-c', 'aiosmtpd.handlers.Mailbox', path.join(this.mail, this.user)], { ...owner, cwd: '/', log: path.join(this.dir, 'relay.log') });
    this.stage.start('dovecot', ['-F', '-c', path.join(this.dir, 'dovecot.conf')], { log: path.join(this.dir, 'out') });
  }

  writeConfiguration(provider) {
    fs.writeFileSync(path.join(this.dir, 'oauth2.conf'), `\
introspection_url = ${provider.introspection}
introspection_mode = post
username_attribute = sub
active_attribute = active
active_value = true
`);
    const listener = (service, plain, tls) => `\
service ${service}-login {
  inet_listener ${plain} {
    port = ${this.ports[plain]}
  }
  inet_listener ${tls} {
    port = ${this.ports[tls]}
    ssl = yes
  }
}
`;
    const me = os.userInfo().username;
    const users = asRoot ? '' : `default_internal_user = ${me}\ndefault_login_user = ${me}\ndefault_internal_group = ${owner.gid}\n`;
    fs.writeFileSync(path.join(this.dir, 'dovecot.conf'), `\
base_dir = ${this.dir}/run
state_dir = ${this.dir}/state
log_path = ${this.log}
auth_verbose = yes
protocols = imap pop3 submission
listen = 127.0.0.1
${users}
first_valid_uid = 1
mail_location = maildir:${this.mail}/%u
hostname = localhost
ssl = yes
ssl_cert = <${this.tls.certificate}
ssl_key = <${this.tls.key}
disable_plaintext_auth = no
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${this.dir}/oauth2.conf
}
userdb {
  driver = static
  args = uid=${owner.uid} gid=${owner.gid} home=${this.mail}/%u allow_all_users=yes
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
namespace inbox {
  inbox = yes
  mailbox Sent {
    auto = create
  }
}
submission_relay_host = 127.0.0.1
submission_relay_port = ${this.ports.relay}
submission_relay_trusted = yes
${listener('imap', 'imap', 'imaps')}
${listener('pop3', 'pop3', 'pop3s')}
${listener('submission', 'submission', 'submissions')}`);
  }
}
