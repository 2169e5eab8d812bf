// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Glibc

/// Why a stalled process could not be inspected.
struct InspectionFailure: Error, Equatable, CustomStringConvertible {
    /// Positive.
    var errno: Int32
    /// What could not be read.
    var reading: String

    var description: String { "\(reading): \(String(cString: strerror(errno)))" }
}

/// Small files of `/proc/PID`.
enum ProcessFile {
    /// The most that is read of one: the maps of a process with 65,530 mappings (the kernel's default limit) fit.
    static let largest = 16 << 20

    static func readToEnd(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < largest {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// The text of `/proc/PID/NAME`; `nil` when it can't be read.
    static func text(of process: pid_t, _ name: String) -> String? {
        let descriptor = epitope_open_process_file(process, name, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return String(decoding: readToEnd(descriptor), as: UTF8.self)
    }

    /// A number out of `/proc/PID/status`, such as `Tgid` or `PPid`.
    static func status(of process: pid_t, _ key: String) -> pid_t? {
        guard let text = text(of: process, "status") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("\(key):") {
            return pid_t(line.dropFirst(key.count + 1).drop { $0 == "\t" || $0 == " " })
        }
        return nil
    }
}
