// SPDX-License-Identifier: Apache-2.0

/// The distribution of a root folder, from os-release(5) and on Debian `/etc/debian_version`.
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
        // VERSION_ID of Debian names the release (12), this file the point release (12.11).
        if id == "debian", let release = version, let point = root.text("/etc/debian_version", maxBytes: 64) {
            let trimmed = String(point.prefix { !$0.isNewline })
            if trimmed.hasPrefix(release + ".") { version = trimmed }
        }
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
