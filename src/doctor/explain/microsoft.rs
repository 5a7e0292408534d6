//! Microsoft's AADSTS numbers, after its "Microsoft Entra authentication and authorization error
//! codes"; a few are from the notes of other programs' users.
//!
//! For display only: Microsoft itself says that programs must not go by them.

use super::Meaning;

const MARK: &str = "AADSTS";

/// What the first number in `reason` means, where there is one that is known.
pub(super) fn explain(reason: &str) -> Option<Meaning> {
    if reason.to_ascii_lowercase().contains("service abuse mode") {
        return Some(LOCKED);
    }
    let number = reason.split_once(MARK)?.1;
    let end = number.find(|c: char| !c.is_ascii_digit());
    let number: u32 = number[..end.unwrap_or(number.len())].parse().ok()?;
    let row = CODES.iter().find(|(codes, ..)| codes.contains(&number));
    row.map(|(_, meaning, advice)| Meaning { meaning, advice })
}

/// Said with several numbers.
const LOCKED: Meaning = Meaning {
    meaning: "Microsoft has locked the account, suspecting abuse",
    advice: "sign in on Microsoft's web pages and unlock the account there, then run 'pizauth login ACCOUNT'",
};

const LOG_IN: &str = "run 'pizauth login ACCOUNT'";
const ASK_ADMIN: &str = "ask the administrator of your organisation, and name the client id";

/// Numbers that mean the same, what they mean, and what to do.
type Row = (&'static [u32], &'static str, &'static str);

static CODES: [Row; 32] = [
    (
        &[50011],
        "the redirect URI is not registered for this client id",
        "in the app registration, add 'redirect_uri' as it is in the configuration, under \"Mobile and desktop applications\"",
    ),
    (
        &[50020, 50034, 90072],
        "the user does not belong to the tenant that is asked",
        "log in as another user, or name the user's own tenant in the place of the one in the endpoints",
    ),
    (
        &[500011],
        "the service that the scopes name is not known in this tenant",
        "check the host in 'scopes' (mail is at outlook.office.com) and the tenant in the endpoints",
    ),
    (
        &[50055, 50126],
        "the password has expired or is wrong",
        "set the password right on Microsoft's web pages, then run 'pizauth login ACCOUNT'",
    ),
    (&[50057], "the user's account is disabled", ASK_ADMIN),
    (
        &[50058],
        "nobody is signed in, and the login page was told not to ask",
        "take \"prompt\": \"none\" out of 'auth_uri_fields', then run 'pizauth login ACCOUNT'",
    ),
    (
        &[50076, 50079],
        "a second factor is asked for, or must be set up first",
        "run 'pizauth login ACCOUNT' and finish what the page asks for",
    ),
    (
        &[50105],
        "the user has not been assigned to this application",
        ASK_ADMIN,
    ),
    (
        &[50173],
        "the tokens were revoked, as happens when the password is changed",
        LOG_IN,
    ),
    (
        &[50194],
        "the application is for one organisation, and the endpoints are those for all",
        "put the tenant id in the place of 'common' in the endpoints, or use provider = \"microsoft:TENANT\"",
    ),
    (
        &[50196],
        "the same request was made too often in a short time",
        "wait a few minutes; if it comes back, please report it as a bug of pizauth",
    ),
    (
        &[53000, 530003],
        "the organisation only lets in devices that it manages",
        "log in on such a device, or ask the administrator",
    ),
    (
        &[53003],
        "a rule of the organisation (Conditional Access) blocks this login",
        ASK_ADMIN,
    ),
    (&[54005], "the code of this login was used already", LOG_IN),
    (
        &[65001],
        "nobody has agreed yet to what the application asks for",
        "run 'pizauth login ACCOUNT' and agree; where you cannot, an administrator must",
    ),
    (
        &[65004],
        "the user did not agree to what the application asks for",
        "run 'pizauth login ACCOUNT' and agree",
    ),
    (
        &[90094],
        "an administrator must agree to the application first",
        ASK_ADMIN,
    ),
    (
        &[650_052],
        "the organisation has no licence for the service that the scopes name",
        ASK_ADMIN,
    ),
    (&[70000], "the login is no longer valid", LOG_IN),
    (
        &[70008, 700_082],
        "the refresh token was not used for too long, and has expired",
        LOG_IN,
    ),
    (
        &[70016],
        "the code has not been typed in yet",
        "type it in at the address that 'pizauth status' shows",
    ),
    (
        &[70043],
        "a rule of the organisation wants a fresh login from time to time",
        "run 'pizauth login ACCOUNT'; it will be wanted again",
    ),
    (
        &[700_016],
        "the client id is not known in this tenant",
        "check 'client_id', the tenant in the endpoints, and which kinds of account the application is for",
    ),
    (
        &[7_000_215],
        "the client secret is wrong",
        "put the secret's value in 'client_secret', not its id, and run 'pizauth reload'",
    ),
    (
        &[7_000_222],
        "the client secret has expired",
        "make a new one in the app registration, put it in 'client_secret', and run 'pizauth reload'",
    ),
    (
        &[7_000_218],
        "a secret is expected, since the application is not registered as a public client",
        "in the app registration, under \"Authentication\", allow public client flows",
    ),
    (
        &[700_025],
        "a secret was sent, and the application is a public client",
        "take 'client_secret' out of the account, and run 'pizauth reload'",
    ),
    (
        &[700_022],
        "the scopes belong to more than one service",
        "leave only scopes of outlook.office.com, and offline_access, in one account",
    ),
    (
        &[90002],
        "there is no such tenant",
        "correct the tenant in the endpoints, and check that they are those of the right national cloud",
    ),
    (
        &[901_002],
        "a resource was named, which Microsoft does not take",
        "take 'resource' out of the account, and run 'pizauth reload'",
    ),
    (
        &[9_002_313],
        "the request was malformed",
        "check 'auth_uri_fields' and 'scopes'; if they are right, please report it as a bug of pizauth",
    ),
    (
        &[9_002_326],
        "the redirect URI is registered for a page in a browser",
        "in the app registration, move it to \"Mobile and desktop applications\"",
    ),
];
