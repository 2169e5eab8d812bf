// SPDX-License-Identifier: Apache-2.0
/* Mail, sent by libcurl, which is loaded when the first one is sent. */
#ifndef EPITOPE_CCURL_H
#define EPITOPE_CCURL_H

#include <stdbool.h>
#include <stddef.h>

/* A mail and its way. */
struct epitope_mail {
    /* smtp:// or smtps://, with the port, and as its path the name that the server is greeted with. */
    const char *url;
    const char *from;
    const char *const *to;
    size_t receivers;
    /* The whole message, with CRLF at each line's end. */
    const unsigned char *message;
    size_t length;
    /* NULL: none. */
    const char *user;
    const char *password;
    /* Certificates of authorities (PEM); NULL: those of the system. */
    const char *authorities;
    /* With smtp://: without STARTTLS nothing is sent. */
    bool needs_tls;
    long timeout_ms;
};

/* What became of it. */
struct epitope_mail_result {
    /* Of libcurl (libcurl-errors(3)); 0: the server took the mail. */
    int code;
    /* The last reply code of SMTP; 0: none. */
    long reply_code;
    /* The last line that the server said. */
    char reply[512];
    /* libcurl's words; empty: none. */
    char error[256];
};

/* Sends a mail; blocks until it is sent, or the time is over. Returns 0, or -1 where there is no libcurl. */
int epitope_mail_send(const struct epitope_mail *mail, struct epitope_mail_result *result);

#endif
