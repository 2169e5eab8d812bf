// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GoodwareFiles

/// The regular files below folders, each once.
struct VerifyTree {
    private(set) var files: [String] = []
    /// Folders that can't be read, with the reason.
    private(set) var skipped: [VerifyReport.Skipped] = []

    /// - Throws: `search-path-missing` when a root isn't there. What can't be read below is kept in ``skipped``.
    init(_ roots: [String]) throws(EpitopeError) {
        var paths: [String] = []
        for root in roots {
            // A root that is a link is what its user means; links below are not followed.
            let path = URL(fileURLWithPath: root).resolvingSymlinksInPath().path
            guard FileManager.default.fileExists(atPath: path) else {
                throw EpitopeError(.searchPathMissing, "\(root) is not there", remedy: "name a folder or file that is there")
            }
            paths.append(path)
        }
        files = FileTree.files(below: paths) { skipped.append(.init(path: $0, reason: $1)) }
    }
}
