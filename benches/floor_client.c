/* The least that a `show` client written in C can do: no checks, no time limits, no messages.
   Usage: floor_client show ACCOUNT, with XDG_RUNTIME_DIR as for pizauth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char text[64 * 1024];

int main(int count, char **arguments)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *directory = getenv("XDG_RUNTIME_DIR");
    if (count < 3 || !directory)
        return 2;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/pizauth/pizauth.sock", directory);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&address, sizeof address))
        return 5;
    int length = snprintf(text, sizeof text, "show\t%s\n", arguments[2]);
    if (write(server, text, length) != length || shutdown(server, SHUT_WR))
        return 5;
    ssize_t got, end = 0;
    while ((got = read(server, text + end, sizeof text - 1 - end)) > 0)
        end += got;
    char *token = memchr(text, '\n', end);
    if (!token || strncmp(text, "token ", 6))
        return 1;
    text[end++] = '\n';
    return write(1, token + 1, text + end - token - 1) < 0;
}
