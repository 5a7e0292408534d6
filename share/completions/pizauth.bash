# Completion for bash: install as ~/.local/share/bash-completion/completions/pizauth.
# It asks the program itself, and so is never older than that.
eval "$(pizauth completions bash)"
