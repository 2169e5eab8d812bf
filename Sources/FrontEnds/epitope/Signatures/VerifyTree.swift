// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import GoodwareFiles
import GoodwareReading

/// The regular files below folders, each once.
struct VerifyTree {
    private(set) var files: [RawPath] = []
    /// Folders that can't be read, with the reason.
    private(set) var skipped: [VerifyReport.Skipped] = []

    /// - Throws: `search-path-missing` if a root does not exist. Folders below that can't be read are in ``skipped``.
    init(_ roots: [String]) throws(EpitopeError) {
        var paths: [String] = []
        for root in roots {
            // A root that is a link is followed, since the user named it; links below are not.
            let path = URL(fileURLWithPath: root).resolvingSymlinksInPath().path
            guard FileManager.default.fileExists(atPath: path) else {
                throw EpitopeError(.searchPathMissing, "\(root) does not exist", remedy: "name an existing folder or file")
            }
            paths.append(path)
        }
        files = FileTree.files(below: paths) { skipped.append(.init(path: $0.description, reason: $1)) }
    }
}
