// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import TestSupport

@testable import AgentUpdates
@testable import KeyProcess
@testable import SecureChannel

/// An authority that signs orders, as an operator's command has it sign them.
struct Signer {
    let authority: CertificateAuthority

    init(in folder: String, site: String = "site-1") throws {
        authority = try CertificateAuthority.create(
            in: folder + "/\(site)", keyIn: folder + "/\(site).key", site: site, serverNames: ["127.0.0.1"])
    }

    func sign(_ manifest: AgentManifest) throws -> SignedManifest {
        SignedManifest(manifest, signatures: try AuthorityKeys(authority).sign(manifest))
    }
}

/// The programs of a version, which need not be programs.
struct MadeVersion {
    let manifest: AgentManifest
    let contents: [String: Data]

    init(
        _ version: String, number: Int64, kind: AgentManifest.Kind = .update, architecture: AgentArchitecture = .current,
        contents: [String: Data]? = nil
    ) throws {
        let contents =
            contents ?? ["epitope": Data("the keeper of \(version)".utf8), "epitope-agent": Data("the agent of \(version)".utf8)]
        guard let parsed = AgentVersion(version) else { throw NeverCame(what: "a version: \(version)") }
        self.contents = contents
        manifest = AgentManifest(
            number: number, kind: kind, version: parsed, architecture: architecture,
            files: AgentManifest.fileNames.map { name in
                let content = contents[name] ?? Data()
                return AgentManifest.File(name: name, size: content.count, sha256: Hex.encode(SHA256.hash(data: content)))
            })
    }

    func part(_ number: Int, _ file: AgentManifest.File) throws(EpitopeError) -> [UInt8] {
        let content = contents[file.name] ?? Data()
        return Array(content.dropFirst(number * AgentManifest.partBytes).prefix(AgentManifest.partBytes))
    }
}

/// The stable code of what a step throws; `nil`: it throws nothing.
func code(of step: () async throws -> Void) async -> String? {
    do {
        try await step()
        return nil
    } catch {
        return (error as? EpitopeError)?.code.rawValue ?? "\(error)"
    }
}
