// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import FileAccess

/// What makes a path one that nobody else can change: the rules as values, then one matrix of real folders, links and files for
/// each way in which the program asks.
@Suite struct PathTrustTests {
    @Test func `a folder's owner and its rights decide`() {
        func fault(_ owner: UInt32, _ permissions: UInt32, last: Bool, _ trust: PathTrust) -> PathTrust.Fault.Reason? {
            trust.fault(owner: owner, permissions: permissions, isLast: last)
        }
        let sticky = PathTrust(followsLinks: true, allowsSticky: true)
        #expect(fault(0, 0o755, last: false, sticky) == nil)
        #expect(fault(0, 0o700, last: true, sticky) == nil)
        #expect(fault(1000, 0o700, last: true, sticky) == .foreignOwner(1000))
        #expect(fault(1000, 0o755, last: false, sticky) == .foreignOwner(1000))
        #expect(fault(1000, 0o700, last: true, PathTrust(owner: 1000, followsLinks: true, allowsSticky: true)) == nil)
        #expect(fault(0, 0o700, last: true, PathTrust(owner: 1000, followsLinks: true, allowsSticky: true)) == nil)
        #expect(fault(0, 0o775, last: true, sticky) == .writableByOthers(0o775))
        #expect(fault(0, 0o757, last: false, sticky) == .writableByOthers(0o757))
        // /tmp may lie on the way, but is nothing to keep files in.
        #expect(fault(0, 0o1777, last: false, sticky) == nil)
        #expect(fault(0, 0o1777, last: true, sticky) == .writableByOthers(0o1777))
        #expect(fault(0, 0o1777, last: false, PathTrust(followsLinks: true, allowsSticky: false)) == .writableByOthers(0o1777))
    }
}

/// The ways in which the program asks.
enum TrustUse: String, CaseIterable, Sendable {
    /// The folder of the agent's socket: root's alone, no links, the last folder is made.
    case socketFolder
    /// The agent's state: root's or the user's own, links that they made, each folder is made.
    case stateFolder
    /// A program that is excluded by its path: root's alone, nothing sticky, nothing is made.
    case program

    var trust: PathTrust {
        switch self {
        case .socketFolder: PathTrust(followsLinks: false, allowsSticky: true, missing: .lastIsMade(mode: 0o755))
        case .stateFolder: PathTrust(owner: 65534, followsLinks: true, allowsSticky: true, missing: .isMade(mode: 0o700))
        case .program: PathTrust(followsLinks: true, allowsSticky: false)
        }
    }

    /// Checks a folder, or for ``program`` the file in it.
    func reason(of folder: String) -> PathTrust.Fault.Reason? {
        do throws(PathTrust.Fault) {
            if self == .program { _ = try TrustedFile(folder + "/file", trust) } else { _ = try TrustedFolder(folder, trust) }
            return nil
        } catch {
            return error.reason
        }
    }
}

/// Real folders below /run, where nothing above is sticky.
@Suite(.enabled(if: geteuid() == 0, "needs root: folders are given to other users")) struct PathTrustMatrixTests {
    private let base: Base

    private final class Base {
        /// Holds `above/last/file`.
        let path: String

        init() throws {
            path = "/run/epitope-test-" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: path + "/above/last", withIntermediateDirectories: true)
            for folder in ["", "/above", "/above/last"] { chmod(path + folder, 0o755) }
            try Data("x".utf8).write(to: URL(fileURLWithPath: path + "/above/last/file"))
            chmod(path + "/above/last/file", 0o755)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    init() throws { base = try Base() }

    /// What each use says of a situation, in the order of ``TrustUse``.
    private func expect(
        _ path: String, _ socket: PathTrust.Fault.Reason?, _ state: PathTrust.Fault.Reason?, _ program: PathTrust.Fault.Reason?,
        _ situation: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (use, expected) in [(TrustUse.socketFolder, socket), (.stateFolder, state), (.program, program)] {
            #expect(use.reason(of: path) == expected, "\(situation): \(use)", sourceLocation: sourceLocation)
        }
    }

    private static let missing = PathTrust.Fault.Reason.unusable(.inspect, .system(ENOENT))

    @Test func `owners and rights are checked on every folder of the way`() {
        let (above, last) = (base.path + "/above", base.path + "/above/last")
        expect(last, nil, nil, nil, "all is root's")
        for (place, isLast) in [(above, false), (last, true)] {
            chmod(place, 0o777)
            expect(last, .writableByOthers(0o777), .writableByOthers(0o777), .writableByOthers(0o777), "everybody writes \(place)")
            chmod(place, 0o775)
            expect(last, .writableByOthers(0o775), .writableByOthers(0o775), .writableByOthers(0o775), "the group writes \(place)")
            chmod(place, 0o1777)
            let sticky = PathTrust.Fault.Reason.writableByOthers(0o1777)
            expect(last, isLast ? sticky : nil, isLast ? sticky : nil, sticky, "\(place) is sticky")
            chmod(place, 0o755)
            chown(place, 1000, 0)
            expect(last, .foreignOwner(1000), .foreignOwner(1000), .foreignOwner(1000), "another user owns \(place)")
            chown(place, 65534, 0)
            expect(last, .foreignOwner(65534), nil, .foreignOwner(65534), "the agent's user owns \(place)")
            chown(place, 0, 0)
        }
    }

    @Test func `links are followed where an owner made them`() {
        let (last, link) = (base.path + "/above/last", base.path + "/link")
        for target in ["above/last", "./above/../above/last", last] {
            #expect(symlink(target, link) == 0)
            expect(link, .isLink, nil, nil, "root's link to \(target)")
            expect(link + "/../last", .isLink, nil, nil, "a way that leads on through it")
            unlink(link)
        }
        #expect(symlink("above/last", link) == 0)
        lchown(link, 1000, 0)
        expect(link, .isLink, .foreignOwner(1000), .foreignOwner(1000), "another user's link")
        lchown(link, 65534, 0)
        expect(link, .isLink, nil, .foreignOwner(65534), "the agent's user's link")
        lchown(link, 0, 0)
        // The link is root's, but lies where somebody else may put another.
        chown(base.path, 1000, 0)
        expect(link, .foreignOwner(1000), .foreignOwner(1000), .foreignOwner(1000), "a link in another user's folder")
        chown(base.path, 0, 0)
        unlink(link)
        #expect(symlink("link", link) == 0)
        expect(link, .isLink, .tooManyLinks, .tooManyLinks, "a link to itself")
    }

    @Test func `the way to a file names all that was checked, links included`() throws {
        #expect(symlink("above", base.path + "/link") == 0)
        let file = try TrustedFile(base.path + "/link/last/file", TrustUse.program.trust)
        let below = ["", "/link", "/above", "/above/last", "/above/last/file"].map { base.path + $0 }
        #expect(file.way.map(\.path) == ["/", "/run"] + below)
        for step in file.way {
            #expect(step.identity == (try FileStatus(path: step.path, followLinks: false)).identity, "\(step.path)")
        }
        #expect(file.path == below.last)
    }

    @Test func `what is missing is made where it may be`() throws {
        umask(0o022)
        let fresh = base.path + "/above/fresh"
        #expect(TrustUse.program.reason(of: fresh) == Self.missing)
        #expect(TrustUse.socketFolder.reason(of: fresh + "/deeper") == Self.missing)
        #expect(access(fresh, F_OK) != 0, "nothing is made on the way")
        #expect(TrustUse.socketFolder.reason(of: fresh) == nil)
        #expect(try FileStatus(path: fresh).permissions == 0o755)
        let made = try TrustedFolder(base.path + "/./made//a/b/../c/", TrustUse.stateFolder.trust)
        #expect(made.path == base.path + "/made/a/c")
        #expect(try FileStatus(path: made.path).permissions == 0o700)
        #expect(try made.handle.status().identity == FileIdentity(path: made.path))
        #expect(try TrustedFolder(made.path, TrustUse.stateFolder.trust).path == made.path)
    }

    @Test func `what is no folder is refused`() {
        let file = base.path + "/above/last/file"
        let notFolder = PathTrust.Fault.Reason.unusable(.open, .system(ENOTDIR))
        expect(file, notFolder, notFolder, notFolder, "a file in a folder's place")
        expect("/", nil, nil, Self.missing, "the root")
        expect(
            base.path + "/above/last\0x", .unusable(.inspect, .system(EINVAL)), .unusable(.inspect, .system(EINVAL)),
            .unusable(.inspect, .system(EINVAL)), "a zero byte")
    }

    @Test func `a program and the links that lead to it are checked`() throws {
        let file = base.path + "/above/last/file"
        func reason(_ path: String) -> PathTrust.Fault.Reason? {
            do throws(PathTrust.Fault) {
                let found = try TrustedFile(path, TrustUse.program.trust)
                return found.path == file ? nil : .isLink
            } catch {
                return error.reason
            }
        }
        #expect(reason(file) == nil)
        #expect(symlink("above/last/file", base.path + "/first") == 0 && symlink(base.path + "/first", base.path + "/second") == 0)
        #expect(reason(base.path + "/second") == nil)
        lchown(base.path + "/first", 1000, 0)
        #expect(reason(base.path + "/second") == .foreignOwner(1000))
        chmod(file, 0o1777)
        #expect(reason(file) == .writableByOthers(0o1777), "a sticky bit says nothing of a file")
        chmod(file, 0o755)
        chown(file, 1000, 0)
        #expect(reason(file) == .foreignOwner(1000))
        #expect(reason("/") == .unusable(.open, .system(EISDIR)))
        #expect(reason(base.path + "/above/last/absent") == Self.missing)
    }

    /// An access control list shows in the group's bits, which are its mask then.
    @Test func `a list that lets others write is seen`() async throws {
        let last = base.path + "/above/last"
        // The kernel's form (linux/posix_acl_xattr.h): version 2, then tag, rights and user of each entry: owner, user 1000, group,
        // mask, others.
        let script = """
            import os, struct, sys
            entries = [(1, 7, -1), (2, 7, 1000), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
            os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries))
            """
        let run = try await Command.run("/usr/bin/python3", ["-c", script, last])
        // A file system without such lists has nothing to hide behind.
        guard !run.errors.contains("Operation not supported") else { return }
        try #require(run.status == 0, "\(run.errors)")
        expect(last, .writableByOthers(0o775), .writableByOthers(0o775), .writableByOthers(0o775), "user 1000 may write")
    }
}
