/* The least that a server of tokens written in C can do and still not hang on a silent client: one
   thread, one epoll set, every answer the same. It goes into the background once it listens, as
   pizauth does, and prints its process id.
   Usage: floor_server SOCKET */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char answer[] =
    "token 64\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* Answers and closes if the request is whole; says whether it is over with this client. */
static int serve(int client)
{
    char request[1024];
    ssize_t got = recv(client, request, sizeof request, 0);
    if (got < 0)
        return errno != EAGAIN;
    if (got > 0 && request[got - 1] != '\n')
        return 0;
    if (got > 0)
        send(client, answer, sizeof answer - 1, MSG_NOSIGNAL);
    return 1;
}

static int accept_all(int listener, int set)
{
    int client;
    while ((client = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = client};
        if (serve(client) || epoll_ctl(set, EPOLL_CTL_ADD, client, &event))
            close(client);
    }
    return 0;
}

int main(int count, char **arguments)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count < 2 || strlen(arguments[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, arguments[1]);
    unlink(arguments[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        return 1;
    pid_t child = fork();
    if (child) {
        printf("%d\n", (int)child);
        return child < 0;
    }
    setsid();
    close(0), close(1), close(2);
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
    epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(set, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener, set);
            else if (serve(fd))
                close(fd);
        }
    }
}
