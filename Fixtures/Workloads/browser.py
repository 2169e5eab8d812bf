# SPDX-License-Identifier: Apache-2.0

"""Serves pages that keep a browser's compilers busy, until their scripts have sent their results; prints those.

usage: browser.py PORT-FILE
"""
import http.server, os, sys, time

PAGES = 3
PAGE = b"""<!doctype html><title>page</title><canvas id=c></canvas><script type=module>
const number = Number(new URLSearchParams(location.search).get('n'));
// Script, WebAssembly (a loop that adds) and a worker, each warm enough to be compiled.
let sum = 0;
for (let i = 0; i < 2e7; i++) sum = (sum * 31 + i) | 0;
const add = new Uint8Array([0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,7,5,1,1,97,0,0,10,27,1,25,1,1,127,3,64,32,1,32,0,
    106,33,1,32,0,65,1,107,34,0,13,0,11,32,1,11]);
const wasm = await WebAssembly.instantiate(add).then(m => m.instance.exports.a(100000), e => String(e.name));
const work = `onmessage = async e => { let t = 0; for (let i = 0; i < 50; i++) t += (await (await fetch(e.data + '?' + i)).text()).length;
    postMessage(t); }`;
const worker = new Worker(URL.createObjectURL(new Blob([work])));
const fetched = await new Promise(r => { worker.onmessage = e => r(e.data); worker.postMessage(location.origin + '/text'); });
const canvas = document.getElementById('c').getContext('2d');
for (let i = 0; i < 200; i++) canvas.fillRect(i, i, 10, 10);
const text = JSON.stringify({ number, sum, wasm, fetched, pixel: canvas.getImageData(5, 5, 1, 1).data[3] });
await fetch('/result', { method: 'POST', body: text });
if (number < %d) location.search = '?n=' + (number + 1);
</script>""" % PAGES


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, kind="text/html"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"text " * 100 if self.path.startswith("/text") else PAGE)

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(text, flush=True)
        self.answer(b"")
        self.server.results += 1

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.results = 0
server.timeout = 1
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
# Pages take a second or two; a machine with thirty others at work, a minute.
end = time.monotonic() + 300
while server.results < PAGES and time.monotonic() < end:
    server.handle_request()
sys.exit(server.results < PAGES)
