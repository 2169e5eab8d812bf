// SPDX-License-Identifier: Apache-2.0

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
        let lists = ["\(name).list"] + SystemFiles.names(info, most: maxLists).filter { $0.hasPrefix("\(name):") && $0.hasSuffix(".list") }
        let texts = lists.compactMap { SystemFiles.text(info + $0, most: maxListSize, followLinks: false) }
        return texts.isEmpty ? nil : texts.flatMap { $0.split(separator: "\n").map(String.init) }
    }
}
