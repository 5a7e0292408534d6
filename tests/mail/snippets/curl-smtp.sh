printf 'oauth2-bearer = "%s"\n' "$(pizauth show work)" |
    curl --config - --user you@example.com: --mail-from you@example.com \
        --mail-rcpt you@example.com --upload-file message smtps://smtp.example.com
