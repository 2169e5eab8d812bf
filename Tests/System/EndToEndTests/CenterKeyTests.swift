// SPDX-License-Identifier: Apache-2.0

import CPrivileges
import Foundation
import TestSupport
import Testing

/// The authority's key is a process's of its own, and no other's of a center.
@Suite struct CenterKeyTests {
    /// A running process, by what `/proc` says.
    private struct Seen {
        let identifier: pid_t
        let words: [String]

        static func all() -> [Seen] {
            ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { name in
                guard let identifier = pid_t(name), let line = try? KernelFile.text("/proc/\(name)/cmdline") else { return nil }
                return Seen(identifier: identifier, words: line.split(separator: "\0").map(String.init))
            }
        }

        /// A line of its status.
        func status(_ name: String) -> String? {
            let text = (try? KernelFile.text("/proc/\(identifier)/status")) ?? ""
            return text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
                .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }
    }

    /// The process that has a center's key, and the one that starts it.
    private static func processes(of center: Center) -> (key: Seen?, keeper: Seen?) {
        let all = Seen.all().filter { $0.words.contains("key") && $0.words.contains("\(center.state).key") }
        return (all.first { $0.words.contains("--listener") }, all.first { !$0.words.contains("--listener") })
    }

    /// Places in a process's memory where one of some bytes stands.
    private static func occurrences(of patterns: [Data], in process: pid_t) throws -> [String] {
        let memory = open("/proc/\(process)/mem", O_RDONLY | O_CLOEXEC)
        try #require(memory >= 0, "process \(process) can't be read: \(String(cString: strerror(errno)))")
        defer { close(memory) }
        var found: [String] = []
        for line in try KernelFile.text("/proc/\(process)/maps").split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard ends.count == 2, words[1].hasPrefix("r"), words.last != "[vvar]", words.last != "[vsyscall]" else { continue }
            // What stands at the border of two pieces is in the first of them, too.
            for place in stride(from: ends[0], to: ends[1], by: 16 << 20) {
                var bytes = Data(count: Int(min(ends[1] - place, 16 << 20 + 64)))
                let count = bytes.withUnsafeMutableBytes { pread(memory, $0.baseAddress, $0.count, off_t(place)) }
                guard count > 0 else { continue }
                for pattern in patterns where bytes.prefix(count).range(of: pattern) != nil { found.append(String(line)) }
            }
        }
        return found
    }

    /// What of a key can stand in a memory: its text, and its number in either order of bytes.
    private static func patterns(ofKey file: String) throws -> [Data] {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let body = text.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        let der = try #require(Data(base64Encoded: body))
        // PKCS#8 around SEC 1 (RFC 5915): version 1, then an octet string of 32 bytes.
        let mark = try #require(der.range(of: Data([0x02, 0x01, 0x01, 0x04, 0x20])))
        let number = der[mark.upperBound..<mark.upperBound + 32]
        // The middle of the first line of base64: no other file has it.
        return [Data(number), Data(number.reversed()), Data(body.dropFirst(40).prefix(64).utf8).prefix(24)]
    }

    @Test(.enabled(if: getuid() == 0, "to read a process's memory needs root"))
    func `the serving process has the authority's key neither in its memory nor among its files`() async throws {
        let (center, _) = try await makeSite()
        let key = "\(center.state).key/authority-key.pem"
        let serving = try #require(center.server?.identifier)
        let signing = try #require(Self.processes(of: center).key)
        let patterns = try Self.patterns(ofKey: key)
        #expect(try Self.occurrences(of: patterns, in: serving) == [])
        #expect(try !Self.occurrences(of: patterns, in: signing.identifier).isEmpty, "the search finds no key where there is one")
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(serving)/fd") {
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(serving)/fd/\(name)")
            #expect(target != key)
        }
        #expect(!FileManager.default.fileExists(atPath: "\(center.state)/authority/authority-key.pem"))
        // The process that has it has no right left, and is closed to others of its user.
        #expect(signing.status("NoNewPrivs") == "1" && signing.status("Seccomp") == "2" && signing.status("Threads") == "1")
        #expect(signing.status("CapEff") == "0000000000000000" && signing.status("CapPrm") == "0000000000000000")
        let opened = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(signing.identifier)/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(signing.identifier)/fd/\($0)")
        }
        #expect(opened.allSatisfy { !$0.hasSuffix(".pem") && !$0.hasSuffix(".sqlite") }, "\(opened)")
        try await center.stop()
        try await eventually("both processes of the key end with the center") {
            let left = Self.processes(of: center)
            return left.key == nil && left.keeper == nil
        }
    }

    @Test func `hosts enrol although the key process is killed meanwhile, and no token is lost`() async throws {
        let center = try await Center()
        try await center.serve()
        var tokens: [String] = []
        for number in 0..<6 { tokens.append(try await center.token("host-\(number)")) }
        let (all, site) = (tokens, UncheckedCenter(center))
        let killed = Task {
            var victims: Set<pid_t> = []
            while !Task.isCancelled, victims.count < 3 {
                if let victim = Self.processes(of: site.center).key, victims.insert(victim.identifier).inserted {
                    kill(victim.identifier, SIGKILL)
                }
                try? await Task.sleep(for: .milliseconds(50))
            }
            return victims
        }
        for (number, token) in all.enumerated() {
            let host = try Host("host-\(number)")
            try await eventually("host \(number) is enrolled") {
                let enrolled = try await host.enroll(at: center.url, token: token)
                // Whatever else it says, the token would be lost.
                if enrolled.status != 0 { #expect(enrolled.errors.contains("[key-unavailable]"), "\(enrolled.errors)") }
                return enrolled.status == 0
            }
        }
        killed.cancel()
        #expect(await !killed.value.isEmpty)
        #expect(try await center.events("enrolled").count == 6)
        try await center.stop()
    }

    @Test func `without a key nobody enrols, health says so, all else goes on, and with it they enrol again`() async throws {
        let (center, _) = try await makeSite()
        let processes = Self.processes(of: center)
        let (key, keeper) = (try #require(processes.key), try #require(processes.keeper))
        let file = "\(center.state).key/authority-key.pem"
        try FileManager.default.moveItem(atPath: file, toPath: file + ".away")
        kill(keeper.identifier, SIGKILL)
        try await eventually("the key process ends with the one that started it") {
            !Self.Seen.all().contains { $0.identifier == key.identifier && $0.words == key.words }
        }
        expectFailure(try await Host("late").enroll(at: center.url, token: try await center.token("late")), "key-unavailable")
        // For programs that know no codes of ours.
        let body = try JSONSerialization.data(withJSONObject: ["token": try await center.token("later"), "request": Self.request])
        let response = try await Self.curl(
            "--data-binary", String(decoding: body, as: UTF8.self), "--output", "/dev/null", "--write-out",
            "%{http_code} %header{retry-after}", "\(center.url)/v1/enroll")
        let words = response.split(separator: " ")
        #expect(words.first == "503" && words.last.flatMap { Int($0) } ?? 0 > 0, "\(response)")
        let health = try await Self.curl("\(center.url)/v1/health")
        #expect(health.contains(#""status":"degraded""#) && health.contains(#""key":"key-unavailable""#), "\(health)")
        #expect(try await center.status().reports.isEmpty)
        #expect(center.server?.hasEnded == false)
        try FileManager.default.moveItem(atPath: file + ".away", toPath: file)
        let token = try await center.token("next")
        try await eventually("a host enrols again, by the token that it had") {
            try await Host("next").enroll(at: center.url, token: token).status == 0
        }
        try await eventually("health says so") { try await Self.curl("\(center.url)/v1/health").contains(#""status":"serving""#) }
        try await center.stop()
    }

    /// What the serving process starts has the rights that it has: here that is a program in Suricata's place that tries to read the key.
    @Test(.enabled(if: epitope_landlock_version() > 0, "needs a kernel with Landlock"), arguments: [true, false])
    func `neither the serving process nor what it starts can open the key's file, unless its place forbids that`(
        isApart: Bool
    ) async throws {
        // Not below /tmp, where new files must be readable.
        let place = "\(PackageFolder.path)/.build/key-shield-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: place) }
        let center = try await Center(state: place)
        let (rules, tried) = ("\(isApart ? place + "/rules" : place)/epitope.rules", "\(place)/tried")
        try FileManager.default.createDirectory(atPath: "\(place)/rules", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: tried, withIntermediateDirectories: true)
        let script = "\(place)/suricata"
        let key = "\(center.state).key/authority-key.pem"
        try Data(
            """
            #!/bin/sh
            # Suricata is asked again and again: what the first one wrote stays.
            mkdir '\(tried)/begun' || exit 1
            cat '\(center.state)/authority/authority.pem' >'\(tried)/certificate' 2>&1
            cat '\(key)' >'\(tried)/key' 2>&1
            ln '\(key)' '\(center.state)/stolen' 2>>'\(tried)/key'
            echo done >'\(tried)/done'
            exit 1

            """.utf8
        ).write(to: URL(filePath: script))
        chmod(script, 0o755)
        let settings = "\(place)/settings.json"
        try JSONSerialization.data(withJSONObject: [
            "requireGoodware": false, "suricata": ["binaryPath": script, "rulesFile": rules, "socket": "\(place)/none.socket"],
        ]).write(to: URL(filePath: settings))
        let server = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", center.state, "--config", settings, "--listen", "127.0.0.1:0",
        ])
        try await server.line(with: "listening on")
        try await eventually("the program in Suricata's place was started") { FileManager.default.fileExists(atPath: "\(tried)/done") }
        #expect(try String(contentsOfFile: "\(tried)/certificate", encoding: .utf8).contains("BEGIN CERTIFICATE"))
        let outcome = try String(contentsOfFile: "\(tried)/key", encoding: .utf8)
        #expect(outcome.contains("PRIVATE KEY") == !isApart, "\(outcome)")
        #expect(FileManager.default.fileExists(atPath: "\(center.state)/stolen") == !isApart)
        #expect(server.errors.contains(isApart ? "can't be read by this process" : "could read the file of the authority's key"))
        // Landlock lets it send no signal to its key's processes, not even the one of its own end.
        #expect(try await server.end(isApart ? SIGKILL : SIGTERM) == (isApart ? 128 + SIGKILL : 0))
        try await eventually("both processes of the key end with the center") {
            let left = Self.processes(of: center)
            return left.key == nil && left.keeper == nil
        }
    }

    /// Where the state's folder is mounted from another one that the process may read, the key can be read by either name.
    @Test(.enabled(if: geteuid() == 0 && epitope_landlock_version() > 0, "needs root, and a kernel with Landlock"))
    func `a key that a bind mount leads to as well is not said to be hidden`() async throws {
        let place = "\(PackageFolder.path)/.build/key-mount-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: place) }
        for name in ["source", "mounted"] {
            try FileManager.default.createDirectory(atPath: "\(place)/\(name)", withIntermediateDirectories: true)
        }
        let made = try await Center(state: "\(place)/source")
        let state = made.state.replacing("/source/", with: "/mounted/")
        let server = try RunningProcess([
            "/usr/bin/unshare", "--mount", "/bin/bash", "-c", "mount --bind '\(place)/source' '\(place)/mounted' && exec \"$@\"", "bash",
            try Command.built("epitope"), "local-center", "serve", "--state", state, "--listen", "127.0.0.1:0",
        ])
        try await server.line(with: "listening on")
        #expect(server.errors.contains("could read the file of the authority's key"), "\(server.errors)")
        #expect(!server.errors.contains("can't be read by this process"))
        #expect(try await server.end() == 0)
    }

    private static func curl(_ arguments: String...) async throws -> String {
        let run = try await Command.run("/usr/bin/curl", ["--silent", "--show-error", "--insecure"] + arguments, seconds: 30)
        try #require(run.status == 0, "\(run.errors)")
        return run.output
    }

    /// As `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x` made it.
    private static let request = """
        -----BEGIN CERTIFICATE REQUEST-----
        MIHGMG4CAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
        BAP76L7psZEzm3RpIrD2AQD0dbfHYWaz6Ozifo8mNaEYG6jS5lETE8ZJVDhSxhHU
        4njlsihqscv9+xJk3bvq6zygADAKBggqhkjOPQQDAgNIADBFAiEAwQX/iZBOCE5E
        pwTqKf6dN+naCv7VeF+K6rL8/UFCbnUCIByRrrEYogWX1CmS7ZZYB/kY4sBWIA1t
        acx8Kxb/BaI5
        -----END CERTIFICATE REQUEST-----
        """
}

/// For tasks of a test that only look at where the center's files are.
private struct UncheckedCenter: @unchecked Sendable {
    // Its state folder is a constant.
    let center: Center
    init(_ center: Center) { self.center = center }
}
