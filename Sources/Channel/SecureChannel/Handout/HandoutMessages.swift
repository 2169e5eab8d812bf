// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What a host says of the version that it runs, when it asks which one it is to run.
public struct AgentReport: Hashable, Sendable, Codable {
    /// How the version that was handed out last fares.
    public enum State: String, Hashable, Sendable, Codable {
        /// It runs and protects.
        case well
        /// It did not within its time, and the one before runs again.
        case returned
        /// It was not run: what was handed out could not be used.
        case refused
    }

    public var architecture: String
    /// That runs.
    public var version: String
    /// Of the order by which it runs.
    public var number: Int64
    /// The order that ``state`` is about.
    public var about: Int64
    public var state: State
    /// Why it was given back or refused: an error's code and message.
    public var code: String?
    public var detail: String?

    /// Of a detail, in bytes.
    static let maxDetailBytes = 500

    public init(
        architecture: AgentArchitecture = .current, version: AgentVersion, number: Int64, about: Int64? = nil, state: State = .well,
        failure: EpitopeError? = nil
    ) {
        self.architecture = architecture.rawValue
        self.version = version.description
        self.number = number
        self.about = about ?? number
        self.state = state
        code = failure?.code.rawValue
        detail = failure.map { String($0.message.prefix(Self.maxDetailBytes / 4)) }
    }

    /// Whether all of it is within bounds.
    package var isValid: Bool {
        AgentArchitecture(rawValue: architecture) != nil && AgentVersion(version) != nil && number >= 0 && about >= 0
            && (code?.utf8.count ?? 0) <= 64 && (detail?.utf8.count ?? 0) <= Self.maxDetailBytes
    }
}

/// What a host is to run.
public struct AgentAnswer: Hashable, Sendable, Codable {
    /// A signed manifest's text; `nil`: what it runs.
    public var order: String?
    /// Within how many seconds the version is to protect.
    public var wellSeconds: Int?

    public init(order: String? = nil, wellSeconds: Int? = nil) {
        self.order = order
        self.wellSeconds = wellSeconds
    }
}

extension ChannelPath {
    /// What a host is to run.
    package static let agents = "/v1/agents"
    /// For a machine that has nothing of Epitope yet: the newest order (`?architecture=`), with a token.
    package static let agentManifest = "/v1/agents/manifest"
    /// A file's part: `/v1/agents/files/SHA256/NUMBER`.
    package static let agentFiles = "/v1/agents/files/"
    /// The authority's certificate, for who knows its fingerprint.
    package static let authority = "/v1/authority"
    /// The script that installs a host.
    package static let install = "/v1/install"
}

extension CenterClient {
    /// Says which version runs here, and asks which one is to.
    public func agentOrder(after report: AgentReport) async throws(EpitopeError) -> AgentAnswer {
        try await ask { (transport) async throws(EpitopeError) in try await transport.postJSON(ChannelPath.agents, report) }
    }

    /// A part of a program that the center hands out. Nothing says yet that it is the right one.
    public func agentPart(_ number: Int, of sha256: String) async throws(EpitopeError) -> [UInt8] {
        try await ask { (transport) async throws(EpitopeError) in
            try await transport.get("\(ChannelPath.agentFiles)\(sha256)/\(number)", waitSeconds: 0)
        }
    }
}

extension EnrolledClient {
    /// As ``CenterClient/agentOrder(after:)``.
    public func agentOrder(after report: AgentReport) async throws(EpitopeError) -> AgentAnswer {
        try await use { (client) async throws(EpitopeError) in try await client.agentOrder(after: report) }
    }

    /// As ``CenterClient/agentPart(_:of:)``.
    public func agentPart(_ number: Int, of sha256: String) async throws(EpitopeError) -> [UInt8] {
        try await use { (client) async throws(EpitopeError) in try await client.agentPart(number, of: sha256) }
    }
}
