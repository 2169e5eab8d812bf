// SPDX-License-Identifier: Apache-2.0

public import CenterServer
public import CenterStore
import EpitopeModel
import FileAccess
public import Logging

extension WorkShift {
    /// A shift of this machine, watched.
    ///
    /// - Parameters:
    ///   - health: is told what fails; what failed in this center's work is none when another does it.
    ///   - logger: is told when the work moves.
    public init(store: CenterStore, health: ServiceHealth, logger: Logger) {
        let name = Self.machineName
        self.init(
            store: store, name: name,
            onFailure: { error in
                guard health.failed(.analysis, error) else { return }
                logger.error("it could not be seen which center does the work, and will be looked again: \(error)")
            },
            // A look that failed is over with the next that doesn't.
            onOther: { health.works(.analysis) },
            onChange: { isHeld in
                for part in [ServiceHealth.Part.analysis, .ids, .forwarding, .subscription] { health.works(part) }
                logger.notice(isHeld ? "this center does the work now" : "this center does not do the work any more")
            })
    }

    /// The host's name, for people.
    private static var machineName: String { SystemName.current.machine ?? "unknown" }
}
