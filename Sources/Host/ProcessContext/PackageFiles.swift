// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation

/// The files of an installed package, by dpkg's own lists or, where dpkg isn't, by rpm.
package enum PackageFiles {
    /// What the lists lie under: when it changes, packages may have.
    package static let status = "/var/lib/dpkg/status"

    /// `nil` when no such package is installed.
    package static func files(of name: String) -> [String]? {
        let info = "/var/lib/dpkg/info/"
        guard access(status, R_OK) == 0 else { return RpmQuery.files(of: name) }
        // The list of a package that several architectures can have at once is named `libc6:amd64.list`.
        let lists =
            ["\(name).list"]
            + ((try? Folders.names(info, maxCount: 65536)) ?? []).filter { $0.hasPrefix("\(name):") && $0.hasSuffix(".list") }
        let texts = lists.compactMap { try? FileContents.bytes(info + $0, maxBytes: 64 << 20, followLinks: false) }
            .map { String(decoding: $0, as: UTF8.self) }
        return texts.isEmpty ? nil : texts.flatMap { $0.split(separator: "\n").map(String.init) }
    }
}
