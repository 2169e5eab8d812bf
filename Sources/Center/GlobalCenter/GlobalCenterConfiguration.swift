// SPDX-License-Identifier: Apache-2.0

public import CenterAnalysis
import CenterStore
public import EpitopeModel
public import SettingsFiles
public import SignatureProving

/// The global center's settings, a JSON file in which every key may be left out.
public struct GlobalCenterConfiguration: Hashable, Sendable, SettingsGroup {
    /// The settings that it shares with local centers.
    public var analysis = AnalysisSettings()
    /// Whether hosts may send directly to this center.
    public var acceptsHosts = true

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try analysis.visit(&visitor)
        try visitor.setting("acceptsHosts", &acceptsHosts)
    }

    public func validate() throws(EpitopeError) {
        try proving.validate()
    }

    /// Reads a settings file.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    public static func load(path: String) throws(EpitopeError) -> GlobalCenterConfiguration {
        try ConfigurationFile.load(Self.self, path: path)
    }

    /// What signatures are proven with. A global center sees no traffic of the sites, so it has no captures of it.
    public var proving: ProverSettings { analysis.proving() }

    var policy: AnalysisPolicy {
        var policy = AnalysisPolicy(
            threshold: analysis.threshold(), targets: [.feed], forwards: .never, lifetimeDays: analysis.lifetimeDays)
        // A site speaks for many hosts.
        policy.maxProofsOfReporter = 1024
        policy.needsIndependentSites = true
        return policy
    }
}
