// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPolicy
import TestSupport
import Testing

/// Reading of policy files, and the errors of malformed ones.
@Suite struct PolicyDocumentTests {
    static func load(_ text: String, overrides: HostPolicy.Overrides = .init()) throws -> HostPolicy {
        let folder = try TemporaryFolder()
        let file = try folder.makeFile("policy.json")
        try file.write(contentsOf: Data(text.utf8))
        chmod("\(folder.path)/policy.json", 0o600)
        return try HostPolicy(path: "\(folder.path)/policy.json", overrides: overrides)
    }

    @Test func `every key of a policy file may be left out`() throws {
        let policy = try Self.load("{}")
        #expect(policy.policy == .default)
        #expect(policy.exclusions == BuiltInExclusions.all)
        #expect(try Self.load(#"{"builtInExclusions": false}"#).exclusions.isEmpty)
    }

    @Test func `each kind of exclusion subject is read`() throws {
        let hash = String(repeating: "0f", count: 32)
        let policy = try Self.load(
            """
            {"action": "stop", "blockAt": 100, "reportAt": 10, "uninspectable": "allow", "builtInExclusions": false, "exclusions": [
              {"executable": "/usr/bin/a", "sha256": "\(hash.uppercased())", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"executable": "/usr/bin/b", "evidence": "direct-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"package": "luajit", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"},
              {"unit": "app.service", "evidence": "call-from-written-image-page", "reason": "r", "until": "2027-06-30"},
              {"container": "0123456789ab", "evidence": "unattributable-caller", "reason": "r", "until": "2027-06-30"},
              {"user": "build", "evidence": "unbacked-memory-deeper-in-stack", "reason": "the reason", "until": "2028-02-29"}
            ]}
            """)
        #expect(policy.policy == Policy(action: .stop, blockAt: 100, reportAt: 10, uninspectable: .allow))
        #expect(
            policy.exclusions.map(\.subject) == [
                .executable(path: "/usr/bin/a", sha256: hash), .executable(path: "/usr/bin/b", sha256: nil), .package("luajit"),
                .unit("app.service"), .container("0123456789ab"), .user("build"),
            ])
        #expect(
            policy.exclusions.map(\.evidence) == [
                .libraryCall, .directCall, .memoryFile, .writtenImagePage, .unattributable, .deeperInStack,
            ])
        #expect(policy.exclusions[5].reason == "the reason")
        #expect(policy.exclusions[5].until == CalendarDay("2028-02-29"))
    }

    @Test func `the command line overrides the policy file`() throws {
        let policy = try Self.load(
            #"{"action": "kill", "uninspectable": "allow"}"#, overrides: .init(action: .watch, uninspectable: .deny))
        #expect(policy.policy.action == .watch)
        #expect(policy.policy.uninspectable == .deny)
    }

    static let right = #""package": "p", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30""#

    @Test(arguments: [
        ("{", "can't be used"), (#"{"actoin": "block"}"#, "'actoin' is not known"), (#"{"action": "explode"}"#, "action"),
        (#"{"blockAt": 0}"#, "'blockAt' is 0"), (#"{"reportAt": 101}"#, "'reportAt' is 101"),
        (#"{"exclusions": [{}]}"#, "names no subject"),
        (#"{"exclusions": [{\#(right), "unit": "u.service"}]}"#, "package p and unit u.service"),
        (#"{"exclusions": [{\#(right), "sha256": "00"}]}"#, "has a sha256"),
        (#"{"exclusions": [{\#(right), "why": "x"}]}"#, "'why' is not known"),
        (#"{"exclusions": [{"package": "p", "evidence": "all", "reason": "r", "until": "2027-06-30"}]}"#, "isn't a kind of evidence"),
        (#"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "until": "2027-06-30"}]}"#, "no reason"),
        (
            #"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "", "until": "2027-06-30"}]}"#,
            "'reason' is empty"
        ),
        (#"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r"}]}"#, "no end"),
        (#"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-02-29"}]}"#, "no end"),
        (
            #"{"exclusions": [{"executable": "bin/a", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "isn't an absolute path"
        ),
        (
            #"{"exclusions": [{"container": "0123", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "isn't a container's id"
        ),
        (
            #"{"exclusions": [{"unit": "a/b", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "isn't the name"
        ),
    ])
    func `a malformed policy is refused`(_ text: String, _ says: String) throws {
        let error = #expect(throws: EpitopeError.self) { try Self.load(text) }
        #expect(error?.code == .policyInvalid)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("policy.json") == true)
    }

    @Test func `a policy file that other users may write to is not trusted`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.makeFile("policy.json")
        chmod("\(folder.path)/policy.json", 0o646)
        let error = #expect(throws: EpitopeError.self) { try HostPolicy(path: "\(folder.path)/policy.json") }
        #expect(error?.code == .policyNotTrusted)
    }

    @Test func `a policy file that does not exist is reported as missing`() {
        let error = #expect(throws: EpitopeError.self) { try HostPolicy(path: "/nonexistent/policy.json") }
        #expect(error?.code == .policyMissing)
        #expect(#expect(throws: EpitopeError.self) { try HostPolicy(path: "/dev/null") }?.code == .policyMissing)
    }

    @Test func `built-in exclusions are complete`() {
        #expect(!BuiltInExclusions.all.isEmpty)
        #expect(BuiltInExclusions.all.allSatisfy { !$0.reason.isEmpty && $0.evidence != .directCall })
        #expect(Set(BuiltInExclusions.all).count == BuiltInExclusions.all.count)
    }
}
