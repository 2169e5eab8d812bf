// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// A folder for one run of Suricata, which is removed afterwards with the files in it (Suricata's logs among them).
final class ScratchFolder {
    let path: String

    /// In `TMPDIR`, else in /tmp.
    ///
    /// - Throws: `disk-full`.
    init() throws(EpitopeError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/epitope-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw EpitopeError(
                .diskFull, "cannot create a temporary folder in \(parent): \(String(cString: strerror(errno)))",
                remedy: "make room in \(parent), or name another folder in TMPDIR")
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for name in (try? Folders.names(path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    func path(_ name: String) -> String { "\(path)/\(name)" }

    func remove(_ name: String) {
        unlink(path(name))
    }
}
