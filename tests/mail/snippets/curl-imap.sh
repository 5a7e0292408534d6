printf 'oauth2-bearer = "%s"\n' "$(pizauth show work)" |
    curl --config - --user you@example.com: imaps://imap.example.com/INBOX
