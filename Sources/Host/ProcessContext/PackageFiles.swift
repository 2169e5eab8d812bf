// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation

/// The files of an installed package, from dpkg's own lists or, on systems without dpkg, from rpm.
package enum PackageFiles {
    /// dpkg's status file: it changes whenever packages do.
    package static let status = "/var/lib/dpkg/status"

    /// How much of each list, and how many lists, are read.
    private static let maxListSize = 64 << 20
    private static let maxLists = 65536

    /// `nil` if no such package is installed.
    package static func files(of name: String) -> [String]? {
        let info = "/var/lib/dpkg/info/"
        guard access(status, R_OK) == 0 else { return RpmQuery.files(of: name) }
        // The list of a package that several architectures can have at once is named `libc6:amd64.list`.
        let lists =
            ["\(name).list"]
            + ((try? Folders.names(info, maxCount: maxLists)) ?? []).filter { $0.hasPrefix("\(name):") && $0.hasSuffix(".list") }
        let texts = lists.compactMap { try? FileContents.bytes(info + $0, maxBytes: maxListSize, followLinks: false) }
            .map { String(decoding: $0, as: UTF8.self) }
        return texts.isEmpty ? nil : texts.flatMap { $0.split(separator: "\n").map(String.init) }
    }
}
