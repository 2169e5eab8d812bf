// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterAnalysis
import CenterMonitoring
import CenterStore
import EpitopeModel
import Foundation
import HostFrontEnd
import LocalCenter
import Logging
import NotificationDelivery
import SecureChannel
import SettingsYAML
import SignatureProving
import SuricataDelivery

/// `epitope local-center serve`.
struct LocalCenterServeCommand: FirstThreadCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Receive packets, make updates, deliver them to Suricata, forward packets to the global center.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var listenOptions: ListenOptions
    @OptionGroup var keyOptions: KeyOptions
    @OptionGroup var monitoringOptions: MonitoringOptions

    @OptionGroup var settingsOptions: SettingsOptions
    @OptionGroup var suricataOptions: SuricataOptions

    func begin() throws -> @Sendable () async throws -> Void {
        let (configuration, monitoring) = try monitoringOptions.reading("local-center") {
            let configuration = try LoadedSettings<LocalCenterConfiguration>.required(from: settingsOptions.source).settings
            return (configuration, try monitoringOptions.applied(to: configuration.monitoring))
        }
        let logger = CenterProcess.logger("local-center", monitoring.logFormat)
        CenterProcess.readyResources()
        let lock = try stateOptions.lockForServing()
        let key = try keyOptions.source(for: stateOptions, logging: monitoring.logFormat)
        let suricata = configuration.suricata ?? SuricataSettings()
        CenterProcess.shieldKey(
            of: stateOptions, key,
            needed: CenterProcess.readFolders(configuration.proving)
                + [suricataOptions.suricataRules ?? suricata.rulesFile, suricata.configurationFile, configuration.globalCenterState]
                .compactMap(\.self)
                + configuration.notifications.folders + settingsOptions.folders(besides: stateOptions.keyDirectory),
            logger: logger)
        return {
            try await serve(configuration, monitoring, keySocket: key.socket, logger: logger)
            withExtendedLifetime(lock) {}
        }
    }

    private func serve(
        _ configuration: LocalCenterConfiguration, _ monitoring: MonitoringSettings, keySocket: String, logger: Logger
    ) async throws {
        let store = try await stateOptions.openStoreForServing(configuration.analysis, logger: logger)
        await store.prepare()
        await CenterProcess.recordStart(in: store, configuration, logger: logger)
        let suricata = suricataOptions.applied(to: configuration, of: try stateOptions.loadAuthorities())
        if suricata == nil {
            logger.warning("no Suricata is configured: updates wait in the store (--suricata-socket and --suricata-rules)")
        }
        let delivery = suricata.map { SuricataDelivery($0) }
        // Without captures no flow is at hand that carried an attack.
        let engine =
            configuration.captures.isEmpty
            ? nil : suricata.map { SuricataEngineCheck($0, readingTime: configuration.proving.captureTime) }
        let provers = try CenterProcess.provers(configuration.proving(isEngineAsked: engine != nil), logger: logger)
        // Whoever looks at the status may do so from another folder.
        let identityFolder = SuricataOptions.absolute(configuration.globalCenterState ?? stateOptions.globalDirectory)
        let monitor = linkMonitor(of: identityFolder, logger: logger)
        let link = try link(configuration, in: identityFolder, monitor: monitor, logger: logger)
        if link == nil { stateOptions.linkFile.remove() }
        let linkUpkeep = Task { await link?.maintain() }
        defer { linkUpkeep.cancel() }
        let peers = PeerLinks(stateOptions.peersDirectory, logger: logger)
        let service = LocalCenterService(
            configuration: configuration, store: store, provers: provers, installer: delivery, engine: engine, link: link,
            linkMonitor: monitor, peers: peers, logger: logger)
        let preparation = Task {
            for problem in await delivery?.problems() ?? [] { logger.error("no rule can go live as it is: \(problem)") }
            do {
                try await delivery?.prepare()
            } catch {
                // The end cuts it short.
                if Task.isCancelled { return }
                logger.error("the shapes of rules could not be tested in advance: \(error)")
            }
        }
        defer { preparation.cancel() }
        let reloading = Task {
            await SettingsReloader(
                source: settingsOptions.source, current: { service.configuration }, health: service.health, logger: logger,
                record: { changes throws(EpitopeError) in try await store.recordSettings(changes) },
                follow: { await service.follow($0) }
            ).run()
        }
        defer { reloading.cancel() }
        var subject = CenterMonitor.Subject(
            kind: LocalKind.name, store: store, health: service.health, proofTime: configuration.proving.maxProofTime)
        subject.expectsStandby = configuration.analysis.store?.synchronousStandby ?? false
        if let delivery { subject.absence = { await delivery.absence() } }
        if let link { subject.linkEnds = { await link.identity?.expiresMilliseconds } }
        try await CenterProcess.run(
            stateOptions, listen: listenOptions, keySocket: keySocket, service: service, ledger: store, clock: store.clock,
            relays: configuration.relays, watched: (monitoring, subject), logger: logger)
        await peers.shutdown()
        await link?.shutdown()
    }

    /// The link to the global center; `nil` where this site has none. An identity that can't be used is told, and read again
    /// when it is mended: it keeps the center from nothing else.
    private func link(
        _ configuration: LocalCenterConfiguration, in directory: String, monitor: LinkMonitor, logger: Logger
    ) throws -> EnrolledClient? {
        do {
            guard try StoredIdentity.loadIfEnrolled(from: directory) != nil || configuration.globalCenterState != nil else { return nil }
        } catch {
            logger.error("the identity at the global center can't be used: \(error.advisingSite)")
        }
        return EnrolledClient(
            directory: directory,
            onEvent: { event in
                switch event {
                case .renewed(let until):
                    noteIdentity(in: directory, monitor)
                    logger.notice("the certificate at the global center was renewed; it is valid until \(ChannelClock.text(until))")
                case .renewalFailed(let error, let until):
                    logger.error(
                        "the certificate at the global center, valid until \(ChannelClock.text(until)), could not be renewed; it is tried again: \(error.advisingSite)"
                    )
                case .adopted(let identity, let until):
                    noteIdentity(in: directory, monitor)
                    logger.notice(
                        "another identity at the global center was read: \(identity.name), valid until \(ChannelClock.text(until))")
                case .moved(let centers):
                    noteIdentity(in: directory, monitor)
                    logger.notice("the global center is asked at \(centers) from now on, as it told")
                case .authority(let change):
                    noteIdentity(in: directory, monitor)
                    logger.log(
                        level: change.error == nil ? .notice : .warning, "the global center replaces its authority: \(change.inWords)")
                case .unusable(let error): logger.error("the identity at the global center can't be used: \(error.advisingSite)")
                case .refused(let error): monitor.refused(error)
                }
            }, onAnswer: { monitor.answered() })
    }

    /// Keeps what there is to know of the link in a file, for `status`. When the global center last answered is carried over.
    private func linkMonitor(of directory: String, logger: Logger) -> LinkMonitor {
        let file = stateOptions.linkFile
        var status = (try? StoredIdentity.loadIfEnrolled(from: directory)).map { LinkStatus(of: $0, in: directory) }
        if let before = file.read(), before.center == status?.center { status?.answeredMilliseconds = before.answeredMilliseconds }
        return LinkMonitor(status, logger: logger, save: { file.write($0) })
    }

    private func noteIdentity(in directory: String, _ monitor: LinkMonitor) {
        guard let identity = try? StoredIdentity.loadIfEnrolled(from: directory) else { return }
        monitor.identityChanged(to: identity, in: directory)
    }
}

/// `epitope local-center link`: enrols the site at a global center.
struct LocalCenterLinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Enrol this site at a global center, with a token from there.",
        usage: "epitope local-center link [--state <folder>] --center <url> ... [--relay <address>] \(TokenOptions<LinkingSite>.usage)")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Option(
        name: .customLong("center"),
        help: ArgumentHelp(
            "The global center, such as https://center.example:7443; of several over one store each, the preferred one first.",
            valueName: "url"))
    var centers: [String]

    @Option(help: ArgumentHelp("Reach it by this relay (`epitope relay`), HOST or HOST:PORT.", valueName: "address"))
    var relay: String?

    @OptionGroup var tokenOptions: TokenOptions<LinkingSite>

    func run() async throws {
        _ = try stateOptions.loadAuthority()
        let wasLinked = (try? StoredIdentity.loadIfEnrolled(from: stateOptions.globalDirectory)) != nil
        let identity = try await EnrolmentClient.enroll(
            as: .localCenter, at: CenterList(parsing: centers), scope: .global, token: try tokenOptions.read(),
            relay: relay.map { text throws(EpitopeError) in try RelayAddress(text) }, storingIn: stateOptions.globalDirectory)
        try await stateOptions.openStore().recordLink(
            .linked, "global center", "enrolled as \(identity.subject.name) at \(identity.centers)")
        Console.print("enrolled as \(identity.subject.role.rawValue) \(identity.subject.name) at \(identity.centers)")
        if !wasLinked, StateFolderLock.isHeld(in: stateOptions.directory) {
            Console.print("the center that runs has no link: restart it")
        }
    }
}
