// SPDX-License-Identifier: Apache-2.0

/// The distribution of a root folder, from os-release(5), with the point release where the system says it.
struct Distribution: Hashable, Sendable {
    var id: String?
    var version: String?

    /// How much of os-release is read, in bytes.
    private static let maxSize = 65536

    init(root: RootFolder) {
        // In the order of os-release(5); the first may be a link to the second.
        let text = ["/etc/os-release", "/usr/lib/os-release"].lazy.compactMap {
            root.text($0, maxBytes: Self.maxSize)
        }.first
        guard let text else { return }
        id = Self.value("ID", in: text)
        version = Self.value("VERSION_ID", in: text)
        guard let release = version else { return }
        version = Self.pointRelease(of: release, id: id, osRelease: text, root: root) ?? release
    }

    /// VERSION_ID names the release (Debian 12, Ubuntu 22.04, CentOS 7), other texts the point release (12.11, 22.04.4, 7.9.2009).
    private static func pointRelease(of release: String, id: String?, osRelease: String, root: RootFolder) -> String? {
        func point(_ text: some StringProtocol) -> String? {
            let number = String(text.prefix { $0.isNumber || $0 == "." })
            return number.hasPrefix(release + ".") && !number.hasSuffix(".") ? number : nil
        }
        func file(_ path: String) -> String? { root.text(path, maxBytes: 256) }
        if id == "debian" { return file("/etc/debian_version").flatMap { point($0) } }
        if let found = value("VERSION", in: osRelease).flatMap({ point($0) }) { return found }
        // `CentOS Linux release 7.9.2009 (Core)`
        return file("/etc/system-release").flatMap { text in text.split(separator: " ").lazy.compactMap { point($0) }.first }
    }

    private static func value(_ key: String, in text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(key + "=") {
            var value = line.dropFirst(key.count + 1)
            if let quote = value.first, quote == "\"" || quote == "'", value.count >= 2, value.last == quote {
                value = value.dropFirst().dropLast()
            }
            return value.isEmpty ? nil : String(value)
        }
        return nil
    }
}
