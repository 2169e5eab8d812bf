import ArgumentParser
import CenterStore
import EpitopeModel
import Foundation
import LocalCenter
import Rendering
import SecureChannel
import SuricataDelivery

/// `epitope local-center serve`.
struct LocalCenterServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Receive packets, make updates, deliver them to Suricata, forward them.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var listenOptions: ListenOptions

    @Option(help: ArgumentHelp("The settings, a JSON file; see the README.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Suricata's command socket.", valueName: "path"))
    var suricataSocket: String?

    @Option(help: ArgumentHelp("The rules file that Epitope writes; Suricata's rule-files must name it.", valueName: "file"))
    var suricataRules: String?

    @Option(help: "What a rule does: alert, or drop where Suricata is inline.")
    var action: LocalCenterConfiguration.RuleAction?

    func run() async throws {
        var configuration = try config.map(LocalCenterConfiguration.load(path:)) ?? LocalCenterConfiguration()
        if let action { configuration.ruleAction = action }
        let logger = CenterProcess.logger("local-center")
        let store = try stateOptions.openStore()
        let service = LocalCenterService(
            configuration: configuration, store: store, delivery: try delivery(configuration),
            link: try link(configuration), logger: logger)
        try await CenterProcess.run(
            stateOptions, listen: listenOptions, intake: service, ledger: store, logger: logger)
    }

    /// The IDS, where socket and rules file are known.
    private func delivery(_ configuration: LocalCenterConfiguration) throws -> SuricataUpdateDelivery? {
        guard let settings = try configuration.suricataSettings(socket: suricataSocket, rulesFile: suricataRules) else {
            Console.note("no Suricata is set: updates wait in the store (--suricata-socket and --suricata-rules)")
            return nil
        }
        return SuricataUpdateDelivery(settings)
    }

    private func link(_ configuration: LocalCenterConfiguration) throws -> CenterClient? {
        do {
            let directory = configuration.globalCenterState ?? stateOptions.globalDirectory
            return try CenterClient(StoredIdentity.load(from: directory))
        } catch where error.code == .identityMissing && configuration.globalCenterState == nil {
            return nil
        }
    }
}

/// `epitope local-center link`: enrols the site at a global center.
struct LocalCenterLinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Enrol this site at a global center, with a token made there for the site.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Option(help: ArgumentHelp("The global center, such as https://center.example:7443.", valueName: "url"))
    var center: String

    @Option(help: "The one-time token.")
    var token: String

    func run() async throws {
        _ = try stateOptions.loadAuthority()
        let identity = try await EnrolmentClient.enroll(
            at: CenterAddress(center), token: token, storingIn: stateOptions.globalDirectory)
        Console.say("enrolled as \(identity.identity.role.rawValue) \(identity.identity.name) at \(identity.center)")
    }
}

extension LocalCenterConfiguration.RuleAction: ExpressibleByArgument {}
