// All scenarios, in the order in which they begin: those that mostly wait come first. Names given
// as arguments pick scenarios.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { launch } from './browser.mjs';
import { playAll } from './harness.mjs';
import { confidential, redirectUris, twoAccounts } from './scenarios/clients.mjs';
import { deviceCode, deviceTrouble } from './scenarios/device.mjs';
import { discovery, mixUp } from './scenarios/discovery.mjs';
import { ownCertificate, privateCertificate } from './scenarios/https_redirect.mjs';
import { login } from './scenarios/login.mjs';
import { mailAcrossEvents, otherPrograms, roundTrip } from './scenarios/mail.mjs';
import { privateAuthority, throughProxy } from './scenarios/network.mjs';
import { amnesia, outage, outageByHand, revokedThere, strangerClient } from './scenarios/outage.mjs';
import { gitCredential, sasl } from './scenarios/otherwords.mjs';
import { djangoOauthToolkit, glewlwyd } from './scenarios/others.mjs';
import { pasteBack, sshTunnel } from './scenarios/paste.mjs';
import { dumpAndRestore, reloadAndRevoke, restoreExpired } from './scenarios/persistence.mjs';
import { refreshByCommand, refreshInTime, shortLived } from './scenarios/refresh.mjs';
import { refusal, strangeRedirects } from './scenarios/refusal.mjs';
import { revocation } from './scenarios/revocation.mjs';
import { basicAuthentication, clientCredentials, secretFromCommand } from './scenarios/service.mjs';
import { takeOverDevice, takeOverSecurely } from './scenarios/takeover.mjs';

const ALL = [
  refreshInTime, login, deviceTrouble, deviceCode, shortLived, roundTrip, otherPrograms, mailAcrossEvents, djangoOauthToolkit, glewlwyd,
  refreshByCommand, refusal, strangeRedirects,
  outage, outageByHand, revokedThere, amnesia, strangerClient,
  dumpAndRestore, restoreExpired, reloadAndRevoke,
  confidential, redirectUris, twoAccounts,
  privateAuthority, throughProxy,
  takeOverDevice, secretFromCommand, pasteBack, sshTunnel,
  ownCertificate, privateCertificate, takeOverSecurely,
  discovery, mixUp, revocation, clientCredentials, basicAuthentication, gitCredential, sasl,
];
/** Scenarios at once: they wait for tokens to expire more than they work. */
const AT_ONCE = 3;

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !ALL.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  console.error(`no scenario is named ${unknown.join(', ')}; there are: ${ALL.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const chosen = wanted.length === 0 ? ALL : ALL.filter(({ name }) => wanted.includes(name));

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'pzm-home-'));
const browser = await launch(home);
const well = await playAll(chosen, { browser }, AT_ONCE);
await browser.close();
fs.rmSync(home, { recursive: true, force: true });
process.exitCode = well ? 0 : 1;
