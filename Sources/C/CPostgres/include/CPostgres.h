// SPDX-License-Identifier: Apache-2.0

/* libpq, PostgreSQL's client library, loaded while the program runs: one that keeps its store in SQLite starts where libpq is not
 * installed. The functions are those of the library's documentation, chapter "libpq"; where its header is there as this is built,
 * the compiler compares the declarations. */
#pragma once

struct pg_conn;
struct pg_result;

/* A notification (LISTEN). It is freed by free_memory. */
struct epitope_pg_notification {
    char *channel;
    int sender;
    char *payload;
    struct epitope_pg_notification *next;
};

/* Called with each notice and warning of a connection. */
typedef void (*epitope_pg_notice_receiver)(void *context, const struct pg_result *notice);

struct epitope_libpq {
    struct pg_conn *(*connect)(const char *const *keywords, const char *const *values, int expand_dbname);
    void (*finish)(struct pg_conn *);
    /* 0: the connection stands. */
    int (*status)(const struct pg_conn *);
    /* 0: idle; 1: a command runs; 2: within a transaction; 3: within one that failed; 4: the connection is broken. */
    int (*transaction_status)(const struct pg_conn *);
    int (*server_version)(const struct pg_conn *);
    char *(*error_message)(const struct pg_conn *);
    int (*socket)(const struct pg_conn *);
    epitope_pg_notice_receiver (*set_notice_receiver)(struct pg_conn *, epitope_pg_notice_receiver, void *context);
    int (*set_nonblocking)(struct pg_conn *, int);
    int (*send_query)(struct pg_conn *, const char *sql);
    int (*send_prepare)(struct pg_conn *, const char *name, const char *sql, int count, const unsigned int *types);
    int (*send_prepared)(
        struct pg_conn *, const char *name, int count, const char *const *values, const int *lengths, const int *formats,
        int result_format);
    int (*flush)(struct pg_conn *);
    int (*consume_input)(struct pg_conn *);
    int (*is_busy)(struct pg_conn *);
    struct pg_result *(*get_result)(struct pg_conn *);
    struct epitope_pg_notification *(*notifies)(struct pg_conn *);
    void (*free_memory)(void *);
    int (*result_status)(const struct pg_result *);
    char *(*error_field)(const struct pg_result *, int field);
    int (*rows)(const struct pg_result *);
    int (*columns)(const struct pg_result *);
    char *(*column_name)(const struct pg_result *, int column);
    unsigned int (*column_type)(const struct pg_result *, int column);
    char *(*value)(const struct pg_result *, int row, int column);
    int (*length)(const struct pg_result *, int row, int column);
    int (*is_null)(const struct pg_result *, int row, int column);
    char *(*command_status)(struct pg_result *);
    char *(*changed_rows)(struct pg_result *);
    void (*clear)(struct pg_result *);
};

/* The library, loaded with the first call; NULL: it is not installed, or lacks a function. Any thread may call it. */
const struct epitope_libpq *epitope_libpq(void);
