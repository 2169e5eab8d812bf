#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
port=$(free_port)
mkdir www temp
seq 10000 >www/numbers
# Workers of a root nginx must still be able to read this folder, which is its owner's alone.
user=; [ "$(id -u)" != 0 ] || user="user root;"
cat >nginx.conf <<C
$user
daemon off; pid $PWD/pid; worker_processes 2; error_log $PWD/error.log; pcre_jit on;
events {}
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    server {
        listen 127.0.0.1:$port; root $PWD/www;
        location ~ ^/re(g+)ex/([a-z]+)$ { return 200 "\$2\n"; }
        location /proxy/ { proxy_pass http://127.0.0.1:$port/; }
    }
}
C
nginx -p "$PWD" -e "$PWD/error.log" -c "$PWD/nginx.conf" &
ends_with_script $!
wait_for_port "$port"
for path in numbers proxy/numbers; do curl -fsS "http://127.0.0.1:$port/$path" | sha256sum; done
for word in alpha beta; do curl -fsS "http://127.0.0.1:$port/regggex/$word"; done
