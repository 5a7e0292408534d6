# Completion for fish: install as ~/.config/fish/completions/pizauth.fish.
# It asks the program itself, and so is never older than that.
pizauth completions fish | source
