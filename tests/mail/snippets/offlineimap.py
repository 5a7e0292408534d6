import subprocess

def show(account):
    return subprocess.check_output(["pizauth", "show", account], text=True).strip()
