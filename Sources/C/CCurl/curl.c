// SPDX-License-Identifier: Apache-2.0

#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

typedef void handle;
struct list;

/* Of curl.h: numbers of options and values never change (libcurl's ABI). */
enum {
    global_all = 3,
    opt_upload = 46,
    opt_noproxy = 10177,
    opt_readdata = 10009,
    opt_url = 10002,
    opt_proxy = 10004,
    opt_errorbuffer = 10010,
    opt_writefunction = 20011,
    opt_readfunction = 20012,
    opt_headerdata = 10029,
    opt_headerfunction = 20079,
    opt_sslversion = 32,
    opt_verifypeer = 64,
    opt_cainfo = 10065,
    opt_verifyhost = 81,
    opt_nosignal = 99,
    opt_use_ssl = 119,
    opt_timeout_ms = 155,
    opt_connecttimeout_ms = 156,
    opt_username = 10173,
    opt_password = 10174,
    opt_mail_from = 10186,
    opt_mail_rcpt = 10187,
    info_response_code = 0x200002,
    use_ssl_all = 3,
    tls_1_2 = 6,
};

#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
_Static_assert(opt_upload == CURLOPT_UPLOAD && opt_noproxy == CURLOPT_NOPROXY && opt_readdata == CURLOPT_READDATA &&
        opt_url == CURLOPT_URL && opt_proxy == CURLOPT_PROXY && opt_errorbuffer == CURLOPT_ERRORBUFFER &&
        opt_writefunction == CURLOPT_WRITEFUNCTION && opt_readfunction == CURLOPT_READFUNCTION &&
        opt_headerdata == CURLOPT_HEADERDATA && opt_headerfunction == CURLOPT_HEADERFUNCTION &&
        opt_sslversion == CURLOPT_SSLVERSION && opt_verifypeer == CURLOPT_SSL_VERIFYPEER && opt_cainfo == CURLOPT_CAINFO &&
        opt_verifyhost == CURLOPT_SSL_VERIFYHOST && opt_nosignal == CURLOPT_NOSIGNAL && opt_use_ssl == CURLOPT_USE_SSL &&
        opt_timeout_ms == CURLOPT_TIMEOUT_MS && opt_connecttimeout_ms == CURLOPT_CONNECTTIMEOUT_MS &&
        opt_username == CURLOPT_USERNAME && opt_password == CURLOPT_PASSWORD && opt_mail_from == CURLOPT_MAIL_FROM &&
        opt_mail_rcpt == CURLOPT_MAIL_RCPT && info_response_code == CURLINFO_RESPONSE_CODE && use_ssl_all == CURLUSESSL_ALL &&
        tls_1_2 == CURL_SSLVERSION_TLSv1_2 && global_all == CURL_GLOBAL_ALL,
    "libcurl's values differ");
#endif

static struct {
    int (*global_init)(long);
    handle *(*init)(void);
    int (*setopt)(handle *, int, ...);
    int (*perform)(handle *);
    int (*getinfo)(handle *, int, ...);
    void (*cleanup)(handle *);
    struct list *(*append)(struct list *, const char *);
    void (*free_list)(struct list *);
} curl;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *file = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!file) return;
    // OpenSSL frees all that it has when the process exits, also what another thread uses then: see CPostgres.
    int (*openssl)(uint64_t, const void *) = (int (*)(uint64_t, const void *))dlsym(file, "OPENSSL_init_crypto");
    if (openssl) openssl(0x00080000, NULL);
    curl.global_init = (int (*)(long))dlsym(file, "curl_global_init");
    curl.init = (handle * (*)(void)) dlsym(file, "curl_easy_init");
    curl.setopt = (int (*)(handle *, int, ...))dlsym(file, "curl_easy_setopt");
    curl.perform = (int (*)(handle *))dlsym(file, "curl_easy_perform");
    curl.getinfo = (int (*)(handle *, int, ...))dlsym(file, "curl_easy_getinfo");
    curl.cleanup = (void (*)(handle *))dlsym(file, "curl_easy_cleanup");
    curl.append = (struct list * (*)(struct list *, const char *)) dlsym(file, "curl_slist_append");
    curl.free_list = (void (*)(struct list *))dlsym(file, "curl_slist_free_all");
    is_loaded = curl.global_init && curl.init && curl.setopt && curl.perform && curl.getinfo && curl.cleanup && curl.append &&
        curl.free_list && curl.global_init(global_all) == 0;
}

struct reader {
    const unsigned char *bytes;
    size_t left;
};

static size_t read_message(char *buffer, size_t size, size_t count, void *context) {
    struct reader *reader = context;
    size_t length = size * count < reader->left ? size * count : reader->left;
    memcpy(buffer, reader->bytes, length);
    reader->bytes += length;
    reader->left -= length;
    return length;
}

// Each line that the server says.
static size_t keep_reply(char *line, size_t size, size_t count, void *context) {
    struct epitope_mail_result *result = context;
    size_t length = size * count;
    size_t kept = length < sizeof result->reply - 1 ? length : sizeof result->reply - 1;
    memcpy(result->reply, line, kept);
    result->reply[kept] = 0;
    return length;
}

static size_t drop(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes;
    (void)context;
    return size * count;
}

int epitope_mail_send(const struct epitope_mail *mail, struct epitope_mail_result *result) {
    memset(result, 0, sizeof *result);
    pthread_once(&once, load);
    if (!is_loaded) return -1;
    handle *easy = curl.init();
    if (!easy) return -1;
    struct reader reader = {mail->message, mail->length};
    struct list *receivers = NULL;
    for (size_t index = 0; index < mail->receivers; index++) receivers = curl.append(receivers, mail->to[index]);
    curl.setopt(easy, opt_url, mail->url);
    curl.setopt(easy, opt_errorbuffer, result->error);
    curl.setopt(easy, opt_nosignal, 1L);
    // No way but the one that is set: not by a proxy that the environment names.
    curl.setopt(easy, opt_proxy, "");
    curl.setopt(easy, opt_noproxy, "*");
    curl.setopt(easy, opt_timeout_ms, mail->timeout_ms);
    curl.setopt(easy, opt_connecttimeout_ms, mail->timeout_ms);
    curl.setopt(easy, opt_mail_from, mail->from);
    curl.setopt(easy, opt_mail_rcpt, receivers);
    curl.setopt(easy, opt_upload, 1L);
    curl.setopt(easy, opt_readfunction, read_message);
    curl.setopt(easy, opt_readdata, &reader);
    curl.setopt(easy, opt_writefunction, drop);
    curl.setopt(easy, opt_headerfunction, keep_reply);
    curl.setopt(easy, opt_headerdata, result);
    curl.setopt(easy, opt_sslversion, (long)tls_1_2);
    curl.setopt(easy, opt_verifypeer, 1L);
    curl.setopt(easy, opt_verifyhost, 2L);
    int status = mail->needs_tls ? curl.setopt(easy, opt_use_ssl, (long)use_ssl_all) : 0;
    if (!status && mail->authorities) status = curl.setopt(easy, opt_cainfo, mail->authorities);
    if (!status && mail->user) status = curl.setopt(easy, opt_username, mail->user);
    if (!status && mail->password) status = curl.setopt(easy, opt_password, mail->password);
    result->code = status ? status : curl.perform(easy);
    curl.getinfo(easy, info_response_code, &result->reply_code);
    curl.cleanup(easy);
    curl.free_list(receivers);
    return 0;
}
