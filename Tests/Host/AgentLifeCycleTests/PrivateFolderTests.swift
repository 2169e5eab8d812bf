// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Testing

@testable import AgentLifeCycle

/// Real folders and links.
@Suite(.enabled(if: geteuid() == 0, "needs root: folders are given to other users")) struct PrivateFolderTests {
    private let folder = Folder()

    private final class Folder {
        let path = NSTemporaryDirectory() + "epitope-test-" + UUID().uuidString
        init() {
            try? FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func refusal(_ path: String) -> EpitopeError.Code? {
        do throws(EpitopeError) {
            _ = try PrivateFolder(path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `missing folders are made for their owner alone`() throws {
        umask(0o022)
        let made = try PrivateFolder(folder.path + "/./a//b/../c/")
        #expect(made.path.hasSuffix("/a/c"))
        var status = stat()
        #expect(lstat(made.path, &status) == 0 && status.st_mode & 0o7777 == 0o700)
        #expect(try PrivateFolder(made.path).path == made.path)
    }

    @Test func `what others can replace is refused`() throws {
        _ = try PrivateFolder(folder.path + "/above/state")
        chmod(folder.path + "/above", 0o777)
        #expect(refusal(folder.path + "/above/state") == .folderNotPrivate)
        chmod(folder.path + "/above", 0o1777)
        #expect(refusal(folder.path + "/above/state") == nil)
        #expect(refusal(folder.path + "/above") == .folderNotPrivate)
        chown(folder.path + "/above", 65534, 65534)
        #expect(refusal(folder.path + "/above/state") == .folderNotPrivate)
        chown(folder.path + "/above", 0, 0)
        chown(folder.path + "/above/state", 65534, 65534)
        #expect(refusal(folder.path + "/above/state") == .folderNotPrivate)
    }

    @Test func `links are followed where root made them`() throws {
        _ = try PrivateFolder(folder.path + "/real/state")
        let link = folder.path + "/link"
        #expect(symlink("real", link) == 0)
        #expect(try PrivateFolder(link + "/state").path.hasSuffix("/real/state"))
        #expect(symlink(folder.path + "/real", folder.path + "/absolute") == 0)
        #expect(try PrivateFolder(folder.path + "/absolute").path.hasSuffix("/real"))
        lchown(link, 65534, 65534)
        #expect(refusal(link + "/state") == .folderNotPrivate)
        #expect(symlink("circle", folder.path + "/circle") == 0)
        #expect(refusal(folder.path + "/circle") == .folderUnusable)
        try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
        #expect(refusal(folder.path + "/file") == .folderUnusable)
        #expect(refusal(folder.path + "/file/state") == .folderUnusable)
    }
}
