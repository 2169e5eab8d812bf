// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport

/// Receivers of notices that run as other programs (Receivers/receivers.py), with what they got.
final class Receivers: Sendable {
    /// For all suites, each of which has paths of its own.
    static let shared = Task { try await Receivers() }

    let folder: TemporaryFolder
    private let process: RunningProcess
    private let ports: [String: Int]

    /// Python with the libraries that Scripts/install-dependencies installs.
    static let python = "\(PackageFolder.path)/.build/test-python/bin/python"

    /// - Parameter httpPort: of plain HTTP; 0: a free one.
    init(httpPort: UInt16 = 0, folder: TemporaryFolder? = nil) async throws {
        self.folder = try folder ?? TemporaryFolder()
        if folder == nil { try await Self.prepare(self.folder.path) }
        process = try RunningProcess([
            "/usr/bin/env", "EPITOPE_RECEIVER_PORT=\(httpPort)", Self.python,
            "\(PackageFolder.path)/Tests/Center/NotificationTests/Receivers/receivers.py", self.folder.path,
        ])
        let line = try await process.line(with: "ready ")
        ports = Dictionary(
            line.split(separator: " ").dropFirst().compactMap { word in
                let parts = word.split(separator: "=")
                return parts.count == 2 ? Int(parts[1]).map { (String(parts[0]), $0) } : nil
            }
        ) { first, _ in first }
    }

    /// A certificate for this machine, and the key that webhooks are signed with.
    static func prepare(_ folder: String) async throws {
        let made = try await Command.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "\(folder)/key.pem",
                "-out",
                "\(folder)/cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ])
        guard made.status == 0 else { throw NeverCame(what: "a certificate: \(made.errors)") }
        try secret("whsec_" + Data(0..<32).base64EncodedString() + "\n", in: "\(folder)/secret")
        try secret("correct horse\n", in: "\(folder)/password")
    }

    static func secret(_ text: String, in path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
    }

    func port(_ name: String) -> Int { ports[name] ?? 0 }

    func url(_ path: String) -> String { "http://127.0.0.1:\(port("http"))/\(path)" }

    func stop() async throws { try await process.end(SIGKILL) }

    struct Message {
        var receiver: String
        var path: String
        var headers: [String: String]
        var body: [UInt8]
        var fields: [String: Any]

        var id: String { headers["webhook-id"] ?? "" }
        var status: Int { fields["status"] as? Int ?? 0 }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// What came in, in its order.
    func messages(_ path: String? = nil) -> [Message] {
        let lines = ((try? folder.read("received")) ?? "").split(separator: "\n")
        return lines.compactMap { line in
            guard let fields = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { return nil }
            return Message(
                receiver: fields["receiver"] as? String ?? "", path: fields["path"] as? String ?? "",
                headers: fields["headers"] as? [String: String] ?? [:],
                body: (fields["body"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? [], fields: fields)
        }.filter { path == nil || $0.path == "/" + (path ?? "") || $0.receiver == path }
    }
}
