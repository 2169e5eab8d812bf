// SPDX-License-Identifier: Apache-2.0

import CenterBackup
import EpitopeModel
import Foundation
import GRDB
import PacketCoding
import SQLiteStore
import Signatures
import TestSupport
import Testing

@testable import CenterStore
@testable import SecureChannel

@Suite("A center is restored from a backup")
struct BackupTests {
    private let kind = "local-center"
    private let folder: TemporaryFolder
    private let authority: CertificateAuthority
    private let store: CenterStore

    private var state: String { folder.path + "/state" }
    private var output: String { folder.path + "/of-today.backup" }
    private var other: String { folder.path + "/elsewhere/state" }

    init() throws {
        folder = try TemporaryFolder()
        let state = folder.path + "/state"
        authority = try CertificateAuthority.create(
            in: state + "/authority", keyIn: state + ".key", site: "test-site", serverNames: ["127.0.0.1"])
        store = try CenterStore(path: state + "/center.sqlite")
    }

    @discardableResult
    private func backup(
        withKey: Bool = false, progress: @escaping BackupWriter.Progress = { _, _, _ in }
    ) async throws -> BackupManifest {
        try await BackupWriter(
            kind: kind, folders: CenterFolders(ofState: state), authorities: CenterAuthorities.load(from: state + "/authority"),
            isWithKey: withKey
        ).write(store, to: output, progress: progress)
    }

    @discardableResult
    private func restore(
        as kind: String = "local-center", revocations: [Revocation] = [], progress: @escaping BackupWriter.Progress = { _, _, _ in }
    ) async throws -> BackupRestorer.Outcome {
        try await BackupRestorer(BackupFile(path: output), to: CenterFolders(newState: other)).restore(
            as: kind, revocations: revocations, by: "test", progress: progress)
    }

    private func restored() throws -> CenterStore { try CenterStore(path: other + "/center.sqlite") }

    private func add(_ number: Int, to store: CenterStore) async throws -> Receipt {
        try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: 1, number: number)))))
    }

    private func code(_ body: () async throws -> Void) async -> EpitopeError.Code? {
        await #expect(throws: EpitopeError.self) { try await body() }?.code
    }

    private var leftovers: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }

    @Test func `what was stored is there, and what a center needs to serve`() async throws {
        let receipts = [try await add(1, to: store), try await add(2, to: store)]
        _ = try FileManager.default.createDirectory(atPath: state + "/global", withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: URL(fileURLWithPath: state + "/global/identity.json"))
        try await store.revoke(Identity(role: .host, name: "gone"), nowMilliseconds: 1)
        let noted = try await store.auditHead()
        let manifest = try await backup()
        #expect(manifest.store.reports == 2 && manifest.store.schema == CenterStore.knownSchema)
        #expect(manifest.authority == Hex.encode(authority.fingerprint))
        #expect(manifest.parts.map(\.name) == ["center.sqlite", "authority.pem", "server.pem", "global-identity.json"])
        let mode = try FileManager.default.attributesOfItem(atPath: output)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(leftovers == ["of-today.backup", "state", "state.key"], "no file but the backup is left")

        #expect(try await restore().key == .missing)
        let again = try restored()
        for (number, receipt) in zip([1, 2], receipts) {
            let known = Receipt(id: receipt.id, storedMilliseconds: receipt.storedMilliseconds, wasKnown: true)
            #expect(try await add(number, to: again) == known)
        }
        #expect(try AuthorityCertificate.load(from: other + "/authority").fingerprint == authority.fingerprint)
        _ = try ServerCertificate.load(from: other + "/authority", authorities: CenterAuthorities(authority.certificate))
        #expect(FileManager.default.fileExists(atPath: other + "/global/identity.json"))
        #expect(try await again.events(subject: "store").map(\.step) == [.recovered])
        let audit = try await again.verifyAudit(noted: noted)
        #expect(audit.broken == nil && audit.head.sequence == noted.sequence + 1, "the chain goes on where the backup ends")
        for name in ["center.sqlite", "authority/authority.pem", "authority/server.pem"] {
            let mode = try FileManager.default.attributesOfItem(atPath: "\(other)/\(name)")[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(name)")
        }
    }

    @Test func `the authority's key is in it only if that was asked for`() async throws {
        try await backup()
        let key = try Data(contentsOf: URL(fileURLWithPath: state + ".key/authority-key.pem"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)).range(of: key) == nil)
        try FileManager.default.removeItem(atPath: output)
        #expect(try await backup(withKey: true).hasKey)
        #expect(try await restore().key == .restored)
        #expect(try CertificateAuthority.load(from: other + ".key").fingerprint == authority.fingerprint)
    }

    @Test func `the key that is there already is used, another center's is not`() async throws {
        try await backup(withKey: true)
        try FileManager.default.createDirectory(atPath: folder.path + "/elsewhere", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: state + ".key", toPath: other + ".key")
        #expect(try await restore().key == .present)
        try FileManager.default.removeItem(atPath: other)
        try FileManager.default.removeItem(atPath: other + ".key")
        _ = try CertificateAuthority.create(in: other + ".key", site: "another", serverNames: ["127.0.0.1"])
        #expect(await code { try await restore() } == .stateNotEmpty)
        #expect(!FileManager.default.fileExists(atPath: other))
    }

    @Test func `an authority that is to follow is in it, with its key if that was asked for`() async throws {
        let rotation = AuthorityRotation(in: state + "/authority", keyIn: state + ".key")
        let begun = try rotation.begin().0
        try await backup(withKey: true)
        #expect(try await restore().key == .restored)
        #expect(try CenterAuthorities.load(from: other + "/authority") == begun)
        let keys = try AuthorityKeys.load(from: other + ".key")
        #expect(keys.authorities == begun && keys.next?.certificate == begun.next?.certificate)
        // A key's folder that has it not: nothing is made up, and a person is told.
        try FileManager.default.removeItem(atPath: other)
        try FileManager.default.removeItem(atPath: other + ".key")
        try FileManager.default.createDirectory(atPath: other + ".key", withIntermediateDirectories: true)
        try CenterAuthorities(authority.certificate).save(in: other + ".key")
        #expect(try await restore().key == .withoutNext)
        #expect(try CenterAuthorities.load(from: other + "/authority") == begun)
    }

    @Test func `a key's folder that knows of a later authority counts more than the backup: what was retired stays so`() async throws {
        try await backup()
        let rotation = AuthorityRotation(in: state + "/authority", keyIn: state + ".key")
        try FileManager.default.createDirectory(atPath: folder.path + "/elsewhere", withIntermediateDirectories: true)
        for step in [{ try rotation.begin().0 }, { try rotation.retire() }] {
            let authorities = try step()
            try? FileManager.default.removeItem(atPath: other)
            try? FileManager.default.removeItem(atPath: other + ".key")
            try FileManager.default.copyItem(atPath: state + ".key", toPath: other + ".key")
            #expect(try await restore().key == .later)
            #expect(try CenterAuthorities.load(from: other + "/authority") == authorities)
            // Its own certificate is of before, and is replaced when it starts.
            let server = try await ServerCertificate.loadOrRenew(
                from: other + "/authority", authorities: authorities, issuer: try AuthorityKeys.load(from: other + ".key"))
            #expect(server.authority == authorities.current.fingerprint)
        }
    }

    @Test func `nothing is overwritten`() async throws {
        try await backup()
        let before = try Data(contentsOf: URL(fileURLWithPath: output))
        #expect(await code { try await backup() } == .backupExists)
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == before)
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: other + "/notes"))
        #expect(await code { try await restore() } == .stateNotEmpty)
        try FileManager.default.removeItem(atPath: other + "/notes")
        try await restore()
        #expect(await code { try await restore() } == .stateNotEmpty, "also not a center that was restored")
    }

    @Test func `a file that comes into being meanwhile stays`() async throws {
        let output = output
        #expect(
            await code {
                try await backup { what, _, _ in
                    if what == "checked" { try? Data("mine".utf8).write(to: URL(fileURLWithPath: output)) }
                }
            } == .backupExists)
        #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == Data("mine".utf8))
        #expect(leftovers == ["of-today.backup", "state", "state.key"])
    }

    @Test func `who stops it leaves nothing`() async throws {
        _ = try await add(1, to: store)
        for step in ["read", "checked"] {
            #expect(
                await code {
                    try await backup { (what, _, _) throws(EpitopeError) in if what == step { throw BackupWriter.stopped } }
                } == .backupStopped, "\(step)")
            #expect(leftovers == ["state", "state.key"])
        }
        try await backup()
        #expect(
            await code {
                try await restore { (what, _, _) throws(EpitopeError) in if what == "restored" { throw BackupWriter.stopped } }
            } == .backupStopped)
        #expect(!FileManager.default.fileExists(atPath: other))
        try await restore()
    }

    @Test func `a damaged backup is refused, wherever the damage is`() async throws {
        _ = try await add(1, to: store)
        let manifest = try await backup()
        let whole = try Data(contentsOf: URL(fileURLWithPath: output))
        func expectRefusal(_ damaged: Data, _ what: String) async throws {
            try damaged.write(to: URL(fileURLWithPath: output))
            #expect(await code { try await restore() } == .backupDamaged, "\(what)")
            #expect(!FileManager.default.fileExists(atPath: other), "\(what)")
        }
        var places = manifest.parts.map { Int($0.offset + $0.bytes / 2) }
        let manifestPlace = Int(manifest.parts.reduce(0) { $0 + $1.bytes })
        // In the manifest; in each field of the trailer.
        places += [manifestPlace + 40, whole.count - 1, whole.count - 33, whole.count - 41, whole.count - 64]
        for place in places {
            var damaged = whole
            damaged[place] ^= 1
            try await expectRefusal(damaged, "byte \(place) of \(whole.count)")
        }
        for count in [0, 1, 63, 64, 100, manifestPlace, whole.count - 1] { try await expectRefusal(whole.prefix(count), "\(count) bytes") }
        try await expectRefusal(whole + [0], "a byte more")
        try await expectRefusal(whole + whole.suffix(64), "another trailer")
        try whole.write(to: URL(fileURLWithPath: output))
        try await restore()
    }

    @Test func `a backup of the other kind of center, or of a later version, is refused`() async throws {
        try await backup()
        #expect(await code { try await restore(as: "global-center") } == .backupOfAnotherKind)
        try FileManager.default.removeItem(atPath: output)
        try await store.transaction { transaction in
            try transaction.db.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('99 what only a later version knows')")
        }
        #expect(try await backup().store.schema.last == "99 what only a later version knows")
        #expect(await code { try await restore() } == .backupNewer)
        #expect(!FileManager.default.fileExists(atPath: other))
    }

    @Test func `who was revoked stays so, also who was after the backup`() async throws {
        let now: Int64 = 1_800_000_000_000
        let (before, after, again) = (
            Fixture.host, Identity(role: .host, name: "host-2"), Identity(role: .host, name: "host-3")
        )
        try await store.revoke(before, nowMilliseconds: now)
        try await store.revoke(again, nowMilliseconds: now)
        try await backup()
        try await store.revoke(after, nowMilliseconds: now + 1000)
        try await store.revoke(again, nowMilliseconds: now + 1000)

        #expect(try await restore().recovery.revoked.isEmpty)
        let old = try restored()
        #expect(try await old.isRevoked(before, issuedMilliseconds: now))
        #expect(try await !old.isRevoked(after, issuedMilliseconds: now))
        try old.close()
        try FileManager.default.removeItem(atPath: other)

        let listed = try store.revocationList.read()
        #expect(listed.unreadable == 0)
        #expect(try await restore(revocations: listed.revocations).recovery.revoked.map(\.name) == ["host-2", "host-3"])
        let new = try restored()
        for identity in [before, after, again] { #expect(try await new.isRevoked(identity, issuedMilliseconds: now)) }
        #expect(try await new.isRevoked(again, issuedMilliseconds: now + 1000))
        #expect(try await !new.isRevoked(after, issuedMilliseconds: now + 1001), "it may enrol again")
        #expect(try await new.events(subject: "host-2").map(\.step) == [.revoked])
        #expect(
            try Set(new.revocationList.read().revocations.map(\.identity)) == [before, after, again],
            "the list beside the restored store has all, for the next restore")
    }

    @Test func `a list of revocations is read past what is no revocation, and completed where it lacks some`() async throws {
        let list = store.revocationList
        // As earlier versions leave it, and a crash.
        try Data("..{\"role\":\"ho".utf8).write(to: URL(fileURLWithPath: list.path))
        try await store.revoke(Fixture.host, nowMilliseconds: 7)
        #expect(try list.read().revocations.map(\.name) == ["host-1"])
        #expect(try list.read().unreadable == 1)
        // A full disk kept them out, or the file is gone.
        try FileManager.default.removeItem(atPath: list.path)
        #expect(try list.read().revocations.isEmpty)
        await store.prepare()
        #expect(
            try list.read().revocations == [
                Revocation(role: .host, name: "host-1", timeMilliseconds: 7, issuedUntilMilliseconds: 7)
            ])
        let bytes = try Data(contentsOf: URL(fileURLWithPath: list.path))
        await store.prepare()
        #expect(try Data(contentsOf: URL(fileURLWithPath: list.path)) == bytes, "nothing is added twice")
    }

    @Test func `a token that was not used then is good no more`() async throws {
        let grant = EnrolmentGrant(identity: Fixture.host, expiresMilliseconds: .max)
        try await store.addToken(secretHash: [1], grant: grant)
        try await store.addToken(secretHash: [2], grant: grant)
        _ = try await store.redeemToken(secretHash: [1], by: EnrolmentApplicant(), issuedMilliseconds: 5, nowMilliseconds: 5)
        try await backup()
        _ = try await store.redeemToken(secretHash: [2], by: EnrolmentApplicant(), issuedMilliseconds: 6, nowMilliseconds: 6)
        #expect(try await restore().recovery.droppedTokens == 1)
        let again = try restored()
        let codes = [[UInt8(1)], [2]].map { secret in
            { () async -> EpitopeError.Code? in
                await code {
                    _ = try await again.redeemToken(secretHash: secret, by: EnrolmentApplicant(), issuedMilliseconds: 7, nowMilliseconds: 7)
                }
            }
        }
        #expect(await codes[0]() == .tokenUsed)
        #expect(await codes[1]() == .tokenRevoked)
    }

    @Test func `who enrolled after the backup gets in, and is listed once it has shown its certificate`() async throws {
        try await backup()
        try await restore()
        let again = try restored()
        #expect(try await again.enrolledPeers().isEmpty)
        #expect(try await !again.isRevoked(Fixture.host, issuedMilliseconds: 5), "its certificate is good")
        for _ in 0..<2 { try await again.noteCertificate(of: Fixture.host, issuedMilliseconds: 5) }
        #expect(try await again.enrolledPeers().map(\.state) == [.enrolled])
        #expect(try await again.events(subject: Fixture.host.name).map(\.step) == [.enrolled])
        // Issued while the clock was ahead.
        try await again.noteCertificate(of: Fixture.host, issuedMilliseconds: 6)
        try await again.revoke(Fixture.host, nowMilliseconds: 5)
        #expect(try await again.isRevoked(Fixture.host, issuedMilliseconds: 6))
        #expect(try await again.enrolledPeers().map(\.state) == [.revoked])
    }

    @Test func `a backup of a store that is written to has all that was acknowledged before it began`() async throws {
        let store = store
        let writing = Task {
            var count = 0
            while !Task.isCancelled {
                _ = try await add(count, to: store)
                count += 1
            }
            return count
        }
        defer { writing.cancel() }
        try await eventually("some are stored") { try await store.status().reports["stored"] ?? 0 >= 100 }
        let before = try await store.status().reports["stored"] ?? 0
        // Each step is followed by commits of others.
        let manifest = try await backup { _, _, _ in usleep(2000) }
        writing.cancel()
        #expect(try await writing.value > manifest.store.reports, "others wrote meanwhile")
        #expect(manifest.store.reports >= before)
        try await restore()
        #expect(CenterStore.damage(in: other + "/center.sqlite") == nil)
        let again = try restored()
        for number in 0..<before { #expect(try await add(number, to: again).wasKnown) }
    }

    @Test(.enabled(if: geteuid() == 0, "gives files to another user: run it as root"))
    func `what root restores into another user's folder is that user's`() async throws {
        try await backup(withKey: true)
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        #expect(chown(other, 12345, gid_t.max) == 0)
        try await restore(revocations: [Revocation(role: .host, name: "host-1", timeMilliseconds: 7, issuedUntilMilliseconds: 7)])
        StateOwner.giveContents(of: other)
        func owner(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.ownerAccountID] as? Int
        }
        for name in ["center.sqlite", "center.sqlite-revocations", "authority", "authority/authority.pem", "authority/server.pem"] {
            #expect(try owner("\(other)/\(name)") == 12345, "\(name)")
        }
        #expect(try owner(other + ".key/authority-key.pem") == 0, "the key's process is another user's")
    }

    @Test func `quotas that were used are`() async throws {
        try await store.transaction { transaction in
            for item in 1...2 as ClosedRange<Int64> { try transaction.use(.updates, for: .delivery(item)) }
        }
        try await backup()
        try await restore()
        let uses = try await restored().snapshot { transaction in
            try Int.fetchOne(transaction.db, sql: "SELECT count(*) FROM quota_uses WHERE quota = 'updates'")
        }
        #expect(uses == 2)
    }
}
