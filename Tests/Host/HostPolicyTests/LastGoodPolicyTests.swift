// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPolicy
import TestSupport
import Testing

/// What is in force when the policy file can't be used.
@Suite struct LastGoodPolicyTests {
    private let folder: TemporaryFolder
    private let good = """
        {"action": "stop", "exclusions": [
          {"package": "luajit", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2999-06-30"}]}
        """

    init() throws {
        folder = try TemporaryFolder()
    }

    private var path: String { folder.path + "/policy.json" }

    private func write(_ text: String, mode: mode_t = 0o600) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, mode)
    }

    private func inForce(_ overrides: HostPolicy.Overrides = .init()) -> PolicyInForce {
        PolicyInForce(path: path, overrides: overrides, state: folder.path + "/state")
    }

    @Test(arguments: [
        (#"{"actoin": "block"}"#, "policy-invalid"), ("{", "policy-invalid"), ("", "policy-invalid"),
        (#"{"action": "blok"}"#, "policy-invalid"), (#"{"blockAt": 0}"#, "policy-invalid"), ("\u{0}\u{ff}", "policy-invalid"),
    ])
    func `a policy that can't be read is replaced by the last good one, with its exclusions`(text: String, code: String) throws {
        try write(good)
        let before = inForce()
        #expect(before.source == .file && before.problem == nil)
        try write(text)
        let after = inForce()
        #expect(after.source == .lastGood)
        #expect(after.policy.policy == before.policy.policy && after.policy.exclusions == before.policy.exclusions)
        #expect(after.problem?.code.rawValue == code)
        #expect(after.problem?.message.contains("the last good policy") == true)
        try write(good)
        #expect(inForce().source == .file)
    }

    @Test func `another file's last good policy stands in for none, whatever its name`() throws {
        let state = folder.path + "/state"
        for (good, broken) in [("a/q.json", "b/q.json"), ("a/b_c.json", "a_b/c.json")] {
            for (path, text) in [(good, self.good), (broken, "{")] {
                let file = URL(filePath: "\(folder.path)/\(path)")
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
                chmod(file.path, 0o600)
            }
            #expect(PolicyInForce(path: "\(folder.path)/\(good)", state: state).source == .file)
            #expect(PolicyInForce(path: "\(folder.path)/\(broken)", state: state).source == .defaults, "\(broken)")
            // The same file by another way.
            try Data("{".utf8).write(to: URL(filePath: "\(folder.path)/\(good)"))
            #expect(PolicyInForce(path: "\(folder.path)/a/../\(good)", state: state).source == .lastGood)
        }
    }

    @Test func `without a last good policy the default is in force, with what the command line says`() throws {
        try write("{")
        let found = inForce(.init(action: .watch))
        #expect(found.source == .defaults)
        #expect(found.policy.policy.action == .watch && found.policy.policy.blockAt == Policy.default.blockAt)
        #expect(found.policy.exclusions == BuiltInExclusions.all)
        #expect(found.problem?.message.contains("the default policy is in force") == true)
    }

    @Test func `a policy that others may write, is gone, or is no file is replaced as well`() throws {
        try write(good)
        #expect(inForce().source == .file)
        chmod(path, 0o666)
        #expect(inForce().source == .lastGood)
        #expect(inForce().problem?.code == .policyNotTrusted)
        unlink(path)
        #expect(inForce().source == .lastGood)
        #expect(inForce().problem?.code == .policyMissing)
        mkdir(path, 0o700)
        #expect(inForce().source == .lastGood)
    }

    @Test func `a last good policy that others could have written, or that is damaged, does not count`() throws {
        try write(good)
        #expect(inForce().source == .file)
        try write("{")
        let state = folder.path + "/state"
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: state).first)
        chmod("\(state)/\(name)", 0o622)
        #expect(inForce().source == .defaults)
        chmod("\(state)/\(name)", 0o600)
        #expect(inForce().source == .lastGood)
        try "?".write(toFile: "\(state)/\(name)", atomically: false, encoding: .utf8)
        #expect(inForce().source == .defaults)
    }

    @Test func `where no copy can be kept, the policy is in force all the same`() throws {
        try write(good)
        try "a file".write(toFile: folder.path + "/state", atomically: true, encoding: .utf8)
        #expect(inForce().source == .file)
        #expect(inForce().policy.policy.action == .stop)
    }
}
