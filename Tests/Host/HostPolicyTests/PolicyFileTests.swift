// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPolicy
import TestSupport
import Testing

/// Exclusions that a command adds to the policy file, whose other text stays as its owner wrote it.
@Suite struct PolicyFileTests {
    static let exclusion = Exclusion(
        subject: .executable(path: "/opt/a \"b\"\n/ü", sha256: String(repeating: "0f", count: 32)), evidence: .libraryCall,
        reason: "plug-ins / \\ compiled", until: CalendarDay("2999-12-31")!)
    static let entry = """
        { "executable": "/opt/a \\"b\\"\\n/ü", "sha256": "\(String(repeating: "0f", count: 32))", \
        "evidence": "library-call-from-unbacked-memory", "reason": "plug-ins / \\\\ compiled", "until": "2999-12-31" }
        """
    static let other = #"{"package": "p", "evidence": "call-from-memory-file", "reason": "] } \" [", "until": "2999-01-01"}"#

    private static func written(_ text: String?) throws -> (text: String, policy: HostPolicy) {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/new/policy.json"
        if let text {
            _ = try folder.makeFolder("new")
            try Data(text.utf8).write(to: URL(filePath: path))
            chmod(path, 0o640)
        }
        #expect(try PolicyFile(path: path).add([exclusion]) == [exclusion])
        #expect(try PolicyFile(path: path).add([exclusion]) == [])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == (text == nil ? 0o644 : 0o640))
        return (try folder.read("new/policy.json"), try HostPolicy(path: path))
    }

    @Test(
        arguments: [
            (nil, "{\n  \"exclusions\": [\n    ENTRY\n  ]\n}\n"), ("{}", "{\n  \"exclusions\": [\n    ENTRY\n  ]\n}"),
            ("{\n  \"action\": \"kill\"\n}\n", "{\n  \"action\": \"kill\",\n  \"exclusions\": [\n    ENTRY\n  ]\n}\n"),
            (#"{"exclusions": []}"#, "{\"exclusions\": [\n    ENTRY\n  ]}"),
            (#"{"exclusions": [OTHER]}"#, "{\"exclusions\": [OTHER,\n    ENTRY\n  ]}"),
            ("{\"exclusions\":\n[\n   OTHER\n]\n, \"blockAt\": 90}", "{\"exclusions\":\n[\n   OTHER,\n    ENTRY\n]\n, \"blockAt\": 90}"),
            ("{\"exclusions\": [OTHER,\n]}", "{\"exclusions\": [OTHER,\n    ENTRY\n]}"),
            (#"{"action": "watch",}"#, "{\"action\": \"watch\",\n  \"exclusions\": [\n    ENTRY\n  ]\n}"),
        ] as [(String?, String)])
    func `an exclusion is added, and all else stays`(_ before: String?, _ after: String) throws {
        let (text, policy) = try Self.written(before?.replacing("OTHER", with: Self.other))
        #expect(text == after.replacing("OTHER", with: Self.other).replacing("ENTRY", with: Self.entry))
        #expect(policy.exclusions.contains(Self.exclusion))
        #expect(policy.exclusions.count == BuiltInExclusions.all.count + (before?.contains("OTHER") == true ? 2 : 1))
    }

    @Test func `what can't be added to is left as it is, and the entry is shown`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/policy.json"
        // The same key, in letters that only a decoder knows.
        let text = #"{"exclusion\u0073": [\#(Self.other)]}"#
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
        let error = #expect(throws: EpitopeError.self) { try PolicyFile(path: path).add([Self.exclusion]) }
        #expect(error?.code == .policyUnwritable && error?.remedy.contains(Self.entry) == true, "\(error?.description ?? "")")
        #expect(try folder.read("policy.json") == text)
    }

    @Test func `a policy that others may write to is not added to`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.makeFile("policy.json")
        chmod("\(folder.path)/policy.json", 0o666)
        #expect(
            #expect(throws: EpitopeError.self) { try PolicyFile(path: "\(folder.path)/policy.json").add([Self.exclusion]) }?.code
                == .policyNotTrusted)
    }

    @Test func `a link to the policy file stays a link`() throws {
        let folder = try TemporaryFolder()
        try Data("{}".utf8).write(to: URL(filePath: "\(folder.path)/real.json"))
        chmod("\(folder.path)/real.json", 0o600)
        try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/policy.json", withDestinationPath: "real.json")
        _ = try PolicyFile(path: "\(folder.path)/policy.json").add([Self.exclusion])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder.path)/policy.json") == "real.json")
        #expect(try folder.read("real.json").contains(Self.entry))
    }
}
