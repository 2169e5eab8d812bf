// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import CenterMonitoring
import EpitopeModel
import HostFrontEnd
import Logging

/// How a center is watched: `--metrics`, `--metrics-beyond-loopback`, `--log-format`. They override the settings.
struct MonitoringOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve metrics for Prometheus, /live and /ready in plain HTTP on an address such as 127.0.0.1:9464, or on a socket at an "
                + "absolute path. (default: nowhere)",
            valueName: "address"))
    var metrics: String?

    @Flag(help: "Serve metrics on an address that other machines reach, to all that ask.")
    var metricsBeyondLoopback = false

    @OptionGroup var logOptions: LogOptions

    /// The settings with what was given here.
    ///
    /// - Throws: `configuration-invalid`, `metrics-exposed`.
    func applied(to settings: MonitoringSettings) throws -> MonitoringSettings {
        var settings = settings
        if let metrics { settings.metrics = metrics }
        if metricsBeyondLoopback { settings.metricsBeyondLoopback = true }
        if let format = logOptions.logFormat { settings.logFormat = format }
        _ = try settings.address()
        return settings
    }

    /// Reads settings; why they can't be used is said in the form that was asked for here.
    func reading<Settings>(_ label: String, _ read: () throws -> Settings) throws -> Settings {
        do { return try read() } catch {
            if logOptions.logFormat == .json { _ = CenterProcess.logger(label, .json) }
            throw error
        }
    }
}

/// The form of a center's lines: `--log-format`.
struct LogOptions: ParsableArguments {
    @Option(help: "The form of a line of the log: text, or json, an object a line. (default: text)")
    var logFormat: MonitoringSettings.LogFormat?
}

extension MonitoringSettings.LogFormat: ExpressibleByArgument {}
