// What most scenarios begin with: an account at a provider.

import { must } from '../harness.mjs';

/** The scopes of an account that reads and sends mail. */
export const SCOPES = ['openid', 'offline_access', 'imap', 'smtp'];

/** Options of an account at this provider, with a public client. */
export function accountAt(provider, more = {}) {
  return {
    ...provider.endpoints,
    client_id: 'pizauth',
    scopes: SCOPES,
    // oidc-provider issues refresh tokens only to who asks for consent.
    auth_uri_fields: { prompt: 'consent' },
    ...more,
  };
}

/**
 * Refreshes tokens of a few seconds' life in time, and retries soon. oidc-provider counts in whole
 * seconds: its tokens may end up to a second before their expires_in is over.
 */
export const BRISK = { refresh_before_expiry: '2s', refresh_retry: '1s' };

/** Throws unless the provider calls this token active. */
export async function mustBeActive(provider, token) {
  const said = await provider.introspect(token);
  must(said.active === true, () => `introspection says ${JSON.stringify(said)}`);
  return said;
}
