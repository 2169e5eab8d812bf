// SPDX-License-Identifier: Apache-2.0

#include "CPostgres.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
/* What differs is the result's type of an enumeration, and names of structs. */
#define SAME(function, type) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&function), type), "libpq declares " #function " otherwise")
SAME(PQconnectdbParams, struct pg_conn *(*)(const char *const *, const char *const *, int));
SAME(PQfinish, void (*)(struct pg_conn *));
SAME(PQstatus, ConnStatusType(*)(const struct pg_conn *));
SAME(PQtransactionStatus, PGTransactionStatusType(*)(const struct pg_conn *));
SAME(PQserverVersion, int (*)(const struct pg_conn *));
SAME(PQerrorMessage, char *(*)(const struct pg_conn *));
SAME(PQsocket, int (*)(const struct pg_conn *));
SAME(PQsetNoticeReceiver,
    epitope_pg_notice_receiver(*)(struct pg_conn *, epitope_pg_notice_receiver, void *));
SAME(PQsetnonblocking, int (*)(struct pg_conn *, int));
SAME(PQsendQuery, int (*)(struct pg_conn *, const char *));
SAME(PQsendPrepare, int (*)(struct pg_conn *, const char *, const char *, int, const unsigned int *));
SAME(PQsendQueryPrepared,
    int (*)(struct pg_conn *, const char *, int, const char *const *, const int *, const int *, int));
SAME(PQflush, int (*)(struct pg_conn *));
SAME(PQconsumeInput, int (*)(struct pg_conn *));
SAME(PQisBusy, int (*)(struct pg_conn *));
SAME(PQgetResult, struct pg_result *(*)(struct pg_conn *));
SAME(PQnotifies, struct pgNotify *(*)(struct pg_conn *));
SAME(PQfreemem, void (*)(void *));
SAME(PQresultStatus, ExecStatusType(*)(const struct pg_result *));
SAME(PQresultErrorField, char *(*)(const struct pg_result *, int));
SAME(PQntuples, int (*)(const struct pg_result *));
SAME(PQnfields, int (*)(const struct pg_result *));
SAME(PQfname, char *(*)(const struct pg_result *, int));
SAME(PQftype, unsigned int (*)(const struct pg_result *, int));
SAME(PQgetvalue, char *(*)(const struct pg_result *, int, int));
SAME(PQgetlength, int (*)(const struct pg_result *, int, int));
SAME(PQgetisnull, int (*)(const struct pg_result *, int, int));
SAME(PQcmdStatus, char *(*)(struct pg_result *));
SAME(PQcmdTuples, char *(*)(struct pg_result *));
SAME(PQclear, void (*)(struct pg_result *));
_Static_assert(offsetof(struct epitope_pg_notification, payload) == offsetof(struct pgNotify, extra) &&
        offsetof(struct epitope_pg_notification, sender) == offsetof(struct pgNotify, be_pid) &&
        CONNECTION_OK == 0 && PQTRANS_UNKNOWN == 4,
    "libpq's values differ");
#endif

static const char *const names[] = {
    "PQconnectdbParams", "PQfinish", "PQstatus", "PQtransactionStatus", "PQserverVersion", "PQerrorMessage", "PQsocket",
    "PQsetNoticeReceiver", "PQsetnonblocking", "PQsendQuery", "PQsendPrepare", "PQsendQueryPrepared", "PQflush", "PQconsumeInput",
    "PQisBusy", "PQgetResult", "PQnotifies", "PQfreemem", "PQresultStatus", "PQresultErrorField", "PQntuples", "PQnfields",
    "PQfname", "PQftype", "PQgetvalue", "PQgetlength", "PQgetisnull", "PQcmdStatus", "PQcmdTuples", "PQclear",
};
enum { function_count = sizeof names / sizeof *names };
_Static_assert(sizeof(struct epitope_libpq) == function_count * sizeof(void *), "a function has no name");

static struct epitope_libpq library;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Of OpenSSL (OPENSSL_init_crypto(3)): nothing is freed when the process exits.
static const uint64_t no_atexit = 0x00080000;

// OpenSSL frees all that it has when the process exits, also what connections in other threads use at that moment: the process would crash
// at its end.
static void keep_openssl(void *file) {
    int (*init)(uint64_t, const void *) = (int (*)(uint64_t, const void *))dlsym(file, "OPENSSL_init_crypto");
    if (init) init(no_atexit, NULL);
}

static void load(void) {
    void *file = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!file) return;
    keep_openssl(file);
    void **functions = (void **)&library;
    for (int index = 0; index < function_count; index++) {
        functions[index] = dlsym(file, names[index]);
        if (!functions[index]) return;
    }
    is_loaded = true;
}

const struct epitope_libpq *epitope_libpq(void) {
    pthread_once(&once, load);
    return is_loaded ? &library : NULL;
}
