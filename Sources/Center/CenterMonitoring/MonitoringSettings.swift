// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import SettingsFiles

/// How a center is watched.
public struct MonitoringSettings: Hashable, Sendable {
    /// The forms of a line of the log.
    public enum LogFormat: String, Hashable, Sendable, Codable, CaseIterable {
        case text
        case json
    }

    /// Where metrics, `/live` and `/ready` are asked for, in plain HTTP: `127.0.0.1:9464`, or the path of a socket. Without it, nowhere.
    public var metrics: String?
    /// Whether `metrics` may be an address that other machines reach: they are asked for no certificate.
    public var metricsBeyondLoopback = false
    /// The form of a line of the log.
    public var logFormat: LogFormat = .text

    public init() {}

    /// Visits every setting, as part of a center's own.
    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("metrics", &metrics)
        try visitor.setting("metricsBeyondLoopback", &metricsBeyondLoopback)
        try visitor.setting("logFormat", &logFormat)
    }

    /// What is wrong with the settings, with the codes that ``address()`` throws.
    public var faults: [SettingFault] { SettingFault.of("metrics") { () throws(EpitopeError) in _ = try address() } }

    /// Where to listen; `nil`: nowhere.
    ///
    /// - Throws: `configuration-invalid` where it is no address; `metrics-exposed` where others reach it and that is not said to be meant.
    public func address() throws(EpitopeError) -> MonitoringAddress? {
        guard let metrics else { return nil }
        guard let address = MonitoringAddress(metrics) else {
            throw EpitopeError(
                .configurationInvalid, "metrics can't be served on '\(metrics)'",
                remedy: "give an address and a port, such as 127.0.0.1:9464 or [::1]:9464, or the absolute path of a socket")
        }
        guard address.isLoopback || metricsBeyondLoopback else {
            throw EpitopeError(
                .metricsExposed, "other machines could read the metrics on \(address): they are served without encryption, to everybody",
                remedy: "name an address of this machine alone, such as 127.0.0.1:9464, and a proxy that asks for credentials; "
                    + "or say that it is meant, with --metrics-beyond-loopback or the setting metricsBeyondLoopback")
        }
        return address
    }
}

extension EpitopeError.Code {
    /// Metrics would be served to other machines, and that was not said to be meant.
    public static let metricsExposed = EpitopeError.Code("metrics-exposed")
}
