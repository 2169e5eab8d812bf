// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import KeyProcess

/// What of a file system may be read so that one folder can't be.
@Suite struct ReadableFoldersTests {
    private static let tree = [
        "/": ["etc", "tmp", "usr", "var"], "/var": ["lib", "log"], "/var/lib": ["dpkg", "epitope"],
        "/var/lib/epitope": ["local-center", "local-center.key"],
    ]

    private func plan(_ hidden: String = "/var/lib/epitope/local-center.key", needed: [String] = []) throws -> ReadableFolders {
        try ReadableFolders(hiding: hidden, needed: needed) { Self.tree[$0] }
    }

    @Test func `all but the hidden folder and the way to it may be read`() throws {
        #expect(
            try plan().paths == [
                "/etc", "/tmp", "/usr", "/var/log", "/var/lib/dpkg", "/var/lib/epitope/local-center",
            ])
    }

    @Test func `a folder that is needed as a whole must not lie on the way`() throws {
        #expect(try !plan(needed: ["/var/lib/epitope/local-center", "/etc", "/tmp"]).paths.isEmpty)
        for folder in ["/", "/var", "/var/lib/epitope"] {
            #expect(throws: ReadableFolders.Obstacle.liesIn(folder)) { try plan(needed: [folder]) }
        }
    }

    @Test func `a folder that can't be listed, or is too full, hides nothing`() throws {
        #expect(throws: ReadableFolders.Obstacle.unlisted("/srv")) { try plan("/srv/center.key") }
        let full = (0...ReadableFolders.maxEntries).map { "file-\($0)" }
        #expect(throws: ReadableFolders.Obstacle.unlisted("/")) { try ReadableFolders(hiding: "/key", needed: []) { _ in full } }
    }
}
