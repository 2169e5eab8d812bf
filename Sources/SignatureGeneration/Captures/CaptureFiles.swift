// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc

extension CaptureReader {
    /// The files of a capture set, the oldest first, such as those that Suricata or tcpdump rotates through.
    ///
    /// - Parameter captureSet: a file, a folder, or a path with `*` in its last part.
    /// - Throws: `capture-unreadable` if there is none.
    public static func files(of captureSet: String) throws(EpitopeError) -> [String] {
        var status = stat()
        let found: [String]
        if captureSet.contains("*") {
            found = matches(of: captureSet)
        } else if stat(captureSet, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            found = matches(of: captureSet.hasSuffix("/") ? captureSet + "*" : captureSet + "/*")
        } else {
            found = [captureSet]
        }
        let dated = found.compactMap(dated)
        guard !dated.isEmpty else {
            throw EpitopeError(
                .captureUnreadable, "there is no capture at '\(captureSet)'",
                remedy: "name a capture, a folder of captures, or a pattern such as '/var/log/suricata/log.pcap.*'")
        }
        return dated.sorted { ($0.seconds, $0.nanoseconds, $0.path) < ($1.seconds, $1.nanoseconds, $1.path) }.map(\.path)
    }

    private static func matches(of pattern: String) -> [String] {
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(pattern, 0, nil, &result) == 0 else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
    }

    /// A regular file with the time that it was last written.
    private static func dated(_ path: String) -> (path: String, seconds: Int, nanoseconds: Int)? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return (path, status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
}
