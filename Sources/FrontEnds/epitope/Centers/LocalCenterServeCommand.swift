// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import CenterStore
import EpitopeModel
import Foundation
import HostFrontEnd
import LocalCenter
import Logging
public import Rendering
import SecureChannel
import SignatureProving
import SuricataDelivery

/// `epitope local-center serve`.
struct LocalCenterServeCommand: FirstThreadCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Receive packets, make updates, deliver them to Suricata, forward packets to the global center.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var listenOptions: ListenOptions
    @OptionGroup var keyOptions: KeyOptions

    @Option(help: ArgumentHelp("The settings, a JSON file.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Suricata's command socket.", valueName: "path"))
    var suricataSocket: String?

    @Option(help: ArgumentHelp("The rules file that Epitope writes; Suricata's rule-files must name it.", valueName: "file"))
    var suricataRules: String?

    @Option(help: "The action of rules: alert, or drop if Suricata runs inline.")
    var action: SuricataRule.Action?

    func validate() throws {
        try requirePaths([("--suricata-socket", suricataSocket), ("--suricata-rules", suricataRules)])
    }

    func begin() throws -> @Sendable () async throws -> Void {
        let configuration = try config.map(LocalCenterConfiguration.load(path:)) ?? LocalCenterConfiguration()
        let logger = CenterProcess.logger("local-center")
        CenterProcess.raiseFileLimit()
        let lock = try stateOptions.lockForServing()
        let key = try keyOptions.source(for: stateOptions)
        let suricata = configuration.suricata ?? SuricataSettings()
        CenterProcess.shieldKey(
            of: stateOptions, key,
            needed: CenterProcess.readFolders(configuration.proving)
                + [suricataRules ?? suricata.rulesFile, suricata.configurationFile, configuration.globalCenterState].compactMap(\.self),
            logger: logger)
        return {
            try await serve(configuration, keySocket: key.socket, logger: logger)
            withExtendedLifetime(lock) {}
        }
    }

    private func serve(_ configuration: LocalCenterConfiguration, keySocket: String, logger: Logger) async throws {
        let store = try await stateOptions.openStoreForServing(logger: logger)
        await store.prepare()
        let suricata = try suricataSettings(configuration, logger: logger)
        let delivery = suricata.map { SuricataDelivery($0) }
        // Without captures no flow is at hand that carried an attack.
        let engine =
            configuration.captures.isEmpty
            ? nil : suricata.map { SuricataEngineCheck($0, readingTime: configuration.proving.captureTime) }
        let provers = try CenterProcess.provers(configuration.proving(isEngineAsked: engine != nil), logger: logger)
        let link = try link(configuration, logger: logger)
        let linkUpkeep = Task { await link?.maintain() }
        defer { linkUpkeep.cancel() }
        let service = LocalCenterService(
            configuration: configuration, store: store, provers: provers, installer: delivery, engine: engine, link: link,
            logger: logger)
        let preparation = Task {
            for problem in await delivery?.problems() ?? [] { logger.error("no rule can go live as it is: \(problem)") }
            do {
                try await delivery?.prepare()
            } catch {
                logger.error("the shapes of rules could not be tested in advance: \(error)")
            }
        }
        defer { preparation.cancel() }
        try await CenterProcess.run(
            stateOptions, listen: listenOptions, keySocket: keySocket, service: service, ledger: store, clock: store.clock, logger: logger)
        await link?.shutdown()
    }

    /// Where the IDS is; `nil` if neither settings nor options name one.
    private func suricataSettings(_ configuration: LocalCenterConfiguration, logger: Logger) throws -> SuricataSettings? {
        guard configuration.suricata != nil || suricataSocket != nil || suricataRules != nil else {
            logger.warning("no Suricata is configured: updates wait in the store (--suricata-socket and --suricata-rules)")
            return nil
        }
        var settings = configuration.suricata ?? SuricataSettings()
        if let suricataSocket { settings.socketPath = Self.absolute(suricataSocket) }
        if let suricataRules { settings.rulesFile = Self.absolute(suricataRules) }
        if let action { settings.action = action }
        // Two centers on one machine must not take turns with one file.
        settings.owner = "authority \(Hex.encode(try stateOptions.loadAuthority().fingerprint))"
        return settings
    }

    /// A path of the command line as Suricata would have to give it.
    private static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    }

    /// The link to the global center; `nil` where this site has none. An identity that can't be used is told, and read again
    /// when it is mended: it keeps the center from nothing else.
    private func link(_ configuration: LocalCenterConfiguration, logger: Logger) throws -> EnrolledClient? {
        let directory = configuration.globalCenterState ?? stateOptions.globalDirectory
        do {
            guard try StoredIdentity.loadIfEnrolled(from: directory) != nil || configuration.globalCenterState != nil else { return nil }
        } catch {
            logger.error("the identity at the global center can't be used: \(error)")
        }
        return EnrolledClient(
            directory: directory,
            onEvent: { event in
                switch event {
                case .renewed(let until):
                    logger.notice("the certificate at the global center was renewed; it is valid until \(ChannelClock.text(until))")
                case .renewalFailed(let error, let until):
                    logger.error(
                        "the certificate at the global center, valid until \(ChannelClock.text(until)), could not be renewed; it is tried again: \(error)"
                    )
                case .adopted(let identity, let until):
                    logger.notice(
                        "another identity at the global center was read: \(identity.name), valid until \(ChannelClock.text(until))")
                case .unusable(let error): logger.error("the identity at the global center can't be used: \(error)")
                case .refused(let error): logger.error("the global center turns this site away: \(error)")
                }
            })
    }
}

/// `epitope local-center link`: enrols the site at a global center.
struct LocalCenterLinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Enrol this site at a global center, with a token from there.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Option(help: ArgumentHelp("The global center, such as https://center.example:7443.", valueName: "url"))
    var center: String

    @OptionGroup var tokenOptions: TokenOptions

    func run() async throws {
        _ = try stateOptions.loadAuthority()
        let wasLinked = (try? StoredIdentity.loadIfEnrolled(from: stateOptions.globalDirectory)) != nil
        let identity = try await EnrolmentClient.enroll(
            as: .localCenter, at: CenterAddress(center), scope: .global, token: try tokenOptions.read(),
            storingIn: stateOptions.globalDirectory)
        Console.print("enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(identity.center)")
        if !wasLinked, StateFolderLock.isHeld(in: stateOptions.directory) {
            Console.print("the center that runs has no link: restart it")
        }
    }
}

extension SuricataRule.Action: ExpressibleByArgument {}
