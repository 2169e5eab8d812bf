// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Glibc
import Rendering
import Signatures
import TestSupport
import Testing

@testable import SuricataDelivery

/// Rules and their file are others' to change, too.
struct InstalledRulesTests {
    private let folder: TemporaryFolder
    private var rulesFile: String { folder.path + "/epitope.rules" }

    init() throws {
        folder = try TemporaryFolder()
    }

    private func texts(_ sids: UInt32...) throws -> [String] {
        try sids.map { sid in
            // The patterns differ, since the same one twice would be one rule.
            let pattern = Samples.callerWindow.dropLast() + [UInt8(truncatingIfNeeded: sid)]
            return try SuricataRule(RuleInput(update(sid, [.init(bytes: Array(pattern))], revision: 1))).text
        }
    }

    @Test func `what is missing in the file or in Suricata is a difference, and nothing else`() throws {
        let two = try texts(3_900_001, 3_900_002)
        let installed = InstalledRules(lines: Set(two), rulesLoaded: 12)
        let file = RulesFileText.render(lines: two)
        #expect(installed.difference(file: file, loaded: 12) == nil)
        #expect(installed.difference(file: file, loaded: 40) == nil, "others' rules are theirs")
        #expect(installed.difference(file: file, loaded: nil) == nil, "a Suricata that doesn't run loads the file when it starts")
        #expect(installed.difference(file: file, loaded: 11) != nil)
        #expect(InstalledRules(lines: Set(two)).difference(file: file, loaded: 1) != nil)
        #expect(installed.difference(file: "", loaded: 12) != nil)
        #expect(installed.difference(file: nil, loaded: nil) != nil)
        #expect(installed.difference(file: RulesFileText.render(lines: [two[0]]), loaded: 12) != nil)
        let three = try texts(3_900_001, 3_900_002, 3_900_003)
        #expect(installed.difference(file: RulesFileText.render(lines: three), loaded: 13) != nil)
        #expect(InstalledRules(lines: []).difference(file: nil, loaded: 0) == nil)
    }

    @Test func `a file is nobody's, Epitope's, or another's`() throws {
        let rule = try texts(3_900_001)
        #expect(RulesFileOwner(of: "") == .nobody)
        #expect(RulesFileOwner(of: "# local rules\n\n") == .nobody)
        #expect(RulesFileOwner(of: RulesFileText.render(lines: rule)) == .center(nil))
        #expect(RulesFileOwner(of: RulesFileOwner.text(rule, owner: "site a")) == .center("site a"))
        #expect(RulesFileOwner(of: "alert tcp any any -> any any (msg:\"mine\"; sid:1;)\n") == .others)
        let text = RulesFileOwner.text(rule, owner: "site a")
        #expect(RulesFileText.rules(in: text).map(\.text) == rule)
    }

    private func delivery(owner: String?, before former: [String] = []) -> SuricataDelivery {
        var settings = SuricataSettings(socketPath: folder.path + "/none.sock", rulesFile: rulesFile, binaryPath: "/bin/true")
        settings.owner = owner
        settings.formerOwners = former
        return SuricataDelivery(settings)
    }

    @Test func `a file with rules of others, or of another center, is never overwritten`() async throws {
        let lines = try texts(3_900_001).map { RuleLine(sid: 3_900_001, text: $0) }
        for foreign in [
            "alert tcp any any -> any any (msg:\"mine\"; sid:1;)\n", RulesFileOwner.text(try texts(3_900_009), owner: "b"),
        ] {
            try Data(foreign.utf8).write(to: URL(filePath: rulesFile))
            let error = await #expect(throws: EpitopeError.self) { _ = try await delivery(owner: "a").deliver(lines: lines) }
            #expect(error?.code == .rulesFileForeign)
            #expect(RulesFile(path: rulesFile).read() == foreign)
        }
        // Its own, and one of a version that named no center, are replaced.
        for own in [
            RulesFileOwner.text(try texts(3_900_009), owner: "a"), RulesFileText.render(lines: try texts(3_900_009)), "# mine\n",
        ] {
            try Data(own.utf8).write(to: URL(filePath: rulesFile))
            let error = await #expect(throws: EpitopeError.self) { _ = try await delivery(owner: "a").deliver(lines: lines) }
            #expect(error?.code == .suricataAbsent, "Suricata doesn't run here, and finds the file when it starts")
            #expect(RulesFile(path: rulesFile).read() == RulesFileOwner.text(lines.map(\.text), owner: "a"))
        }
    }

    @Test func `a file of this center from before it had its name is its own, and gets the name`() async throws {
        let lines = try texts(3_900_001).map { RuleLine(sid: 3_900_001, text: $0) }
        try Data(RulesFileOwner.text(try texts(3_900_009), owner: "b").utf8).write(to: URL(filePath: rulesFile))
        let error = await #expect(throws: EpitopeError.self) { _ = try await delivery(owner: "a", before: ["b"]).deliver(lines: lines) }
        #expect(error?.code == .suricataAbsent)
        #expect(RulesFile(path: rulesFile).read() == RulesFileOwner.text(lines.map(\.text), owner: "a"))
    }

    @Test func `what would keep rules from going live is seen before there are any`() async throws {
        func codes(_ owner: String?) async -> [EpitopeError.Code] { await delivery(owner: owner).problems().map(\.code) }
        #expect(await codes("a") == [.suricataAbsent], "the file can be made")
        try Data("alert tcp any any -> any any (msg:\"mine\"; sid:1;)\n".utf8).write(to: URL(filePath: rulesFile))
        #expect(await codes("a") == [.rulesFileForeign, .suricataAbsent])
        try Data(RulesFileOwner.text([], owner: "a").utf8).write(to: URL(filePath: rulesFile))
        #expect(await codes("a") == [.suricataAbsent])
        #expect(await codes("b") == [.rulesFileForeign, .suricataAbsent])
        // Whatever it is that can't be read, it may be somebody's.
        try FileManager.default.removeItem(atPath: rulesFile)
        try FileManager.default.createDirectory(atPath: rulesFile, withIntermediateDirectories: false)
        #expect(await codes("a") == [.rulesFileForeign, .suricataAbsent])
        let nowhere = SuricataSettings(socketPath: folder.path + "/none.sock", rulesFile: folder.path + "/none/e.rules")
        #expect(await SuricataDelivery(nowhere).problems().map(\.code) == [.rulesFolderUnwritable, .suricataAbsent])
        // It answers, and its rule-files name another file.
        let fake = FakeSuricata([
            #"{"return": "OK"}"#, #"{"message": "/rules", "return": "OK"}"#, #"{"message": "others.rules", "return": "OK"}"#,
            #"{"message": "Unable to get value", "return": "NOK"}"#,
        ])
        let elsewhere = SuricataSettings(socketPath: fake.path, rulesFile: folder.path + "/e.rules", binaryPath: "/bin/true")
        #expect(await SuricataDelivery(elsewhere).problems().map(\.code) == [.suricataRulesFileNotLoaded])
    }

    @Test(.timeLimit(.minutes(1))) func `a Suricata that accepts nobody is given up in time`() throws {
        let path = "/tmp/epitope-full-\(UUID().uuidString.prefix(8)).sock"
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(listener)
            unlink(path)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
        try #require(isBound && listen(listener, 1) == 0)
        // The queue takes a few, and then nobody.
        var queued: [CommandSocket] = []
        let error = #expect(throws: EpitopeError.self) {
            for _ in 0..<16 { queued.append(try CommandSocket(path: path, within: 0.3)) }
        }
        #expect(error?.code == .suricataTimeout)
        #expect((1..<16).contains(queued.count))
    }

    @Test(.timeLimit(.minutes(1))) func `a delivery to a Suricata that hangs ends when its task is cancelled`() async throws {
        // It takes the connection and never answers.
        let fake = FakeSuricata([])
        let settings = SuricataSettings(socketPath: fake.path, rulesFile: rulesFile, binaryPath: "/bin/true", commandTimeout: 50)
        let lines = try texts(3_900_001).map { RuleLine(sid: 3_900_001, text: $0) }
        let delivery = SuricataDelivery(settings)
        let begin = ContinuousClock.now
        let task = Task { try await delivery.deliver(lines.map { update($0.sid, [.init(bytes: Samples.callerWindow)]) }) }
        try await Task.sleep(for: .milliseconds(100))
        task.cancel()
        let error = await #expect(throws: EpitopeError.self) { _ = try await task.value }
        #expect(error?.code == .suricataTimeout)
        #expect(ContinuousClock.now - begin < .seconds(30), "long before Suricata's own time is over")
    }
}
