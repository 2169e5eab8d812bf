// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import ProcessInspection
import Testing

@testable import SeccompBackend

/// The profile that goes into containers' configurations.
@Suite struct SeccompProfileTests {
    private struct Read: Decodable {
        struct Rule: Decodable, Equatable {
            var names: [String]?
            var action: String
            var errnoRet: UInt64?
        }
        var defaultAction: String
        var architectures: [String]?
        var listenerPath: String
        var listenerMetadata: String
        var flags: [String]?
        var syscalls: [Rule]

        init(_ json: String) throws { self = try JSONDecoder().decode(Read.self, from: Data(json.utf8)) }

        func names(_ action: String) -> [String] {
            syscalls.filter { $0.action == action }.flatMap { $0.names ?? [] }.sorted()
        }
    }

    @Test func `exactly the filters calls are notified`() throws {
        let profile = try Read(SeccompProfile(listenerPath: "/run/epitope/seccomp.sock").json)
        #expect(profile.defaultAction == "SCMP_ACT_ALLOW")
        #expect(profile.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
        #expect(profile.listenerPath == "/run/epitope/seccomp.sock")
        #expect(profile.flags == nil, "runc 1.1 refuses every flag")
        #expect(profile.syscalls.map(\.action) == ["SCMP_ACT_NOTIFY", "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO"])
        #expect(profile.names("SCMP_ACT_ERRNO") == ["prctl", "prctl"])
        let critical = Set(SystemCallInterface.allCases.flatMap { $0.numbers.map(\.call.rawValue) })
        #expect(Set(profile.names("SCMP_ACT_NOTIFY")) == critical.union(["send", "io_uring_setup"]))
        let flagged = try Read(SeccompProfile(listenerPath: "/x/y", flags: [.waitKillable]).json)
        #expect(flagged.flags == ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    }

    @Test func `an engines profile keeps what it forbids`() throws {
        let base = """
            {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
             "syscalls":[
              {"names":["read","connect","sendto","socketcall","execve","bind"],"action":"SCMP_ACT_ALLOW"},
              {"name":"listen","action":"SCMP_ACT_ALLOW","args":[]},
              {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]},
              {"names":["bind","clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}
            """
        let text = try SeccompProfile(listenerPath: "/run/e.sock").merged(into: Array(base.utf8))
        let merged = try Read(text)
        #expect(merged.syscalls.first?.action == "SCMP_ACT_NOTIFY")
        #expect(
            merged.names("SCMP_ACT_NOTIFY") == ["connect", "execve", "listen", "sendto", "socketcall"],
            "neither what it forbids nor what it leaves out")
        #expect(merged.names("SCMP_ACT_ALLOW") == ["personality", "read"])
        #expect(merged.names("SCMP_ACT_ERRNO") == ["bind", "clone3"])
        #expect(merged.defaultAction == "SCMP_ACT_ERRNO" && merged.listenerPath == "/run/e.sock")
        #expect(text.contains("18446744073709551615") && text.contains("archMap") && text.contains("\"defaultErrnoRet\" : 1"))
    }

    @Test func `a profile that allows everything has all calls notified`() throws {
        let merged = try Read(SeccompProfile(listenerPath: "/e").merged(into: Array(#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.utf8)))
        #expect(merged.names("SCMP_ACT_NOTIFY") == SeccompProfile.criticalCalls)
        #expect(merged.names("SCMP_ACT_ERRNO") == ["prctl", "prctl"])
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}"#,
        #"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["open"],"action":"SCMP_ACT_NOTIFY"}]}"#,
        #"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["connect"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
        #"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["connect"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_NET_ADMIN"]}}]}"#,
        #"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["connect"]}]}"#,
    ]) func `a profile that cannot be kept is refused`(_ base: String) {
        #expect { try SeccompProfile(listenerPath: "/e").merged(into: Array(base.utf8)) } throws: {
            ($0 as? EpitopeError)?.code == .profileUnusable
        }
    }
}
