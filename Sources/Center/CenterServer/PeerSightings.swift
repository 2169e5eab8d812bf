// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel
import Synchronization

/// Who was seen since the last look, each once. A request costs a look at a table; the store is written to once in a while, for all.
struct PeerSightings {
    private struct Seen {
        var sighting: PeerSighting
        /// It was seen since the last look.
        var isNew: Bool
        /// The machine that it was before, and from where.
        var earlier: (machine: String, address: String?)?
    }

    /// Some 400 bytes each. When more come, those that were written already are forgotten.
    static let max = 131_072

    private var seen: [Identity: Seen] = [:]
    /// Sightings that were not kept, since there were too many identities at once.
    private(set) var lost = 0

    /// A machine that comes back after another had its identity: there are two. A machine that was started anew has another number, and the
    /// old one never comes back.
    mutating func note(_ sighting: PeerSighting) {
        guard var known = seen[sighting.identity] else {
            guard makeRoom() else { return lost += 1 }
            seen[sighting.identity] = Seen(sighting: sighting, isNew: true)
            return
        }
        let before = known.sighting
        known.sighting = sighting
        known.sighting.otherAddress = before.otherAddress
        known.isNew = true
        if let machine = sighting.note.machine, let last = before.note.machine, machine != last {
            if let earlier = known.earlier, earlier.machine == machine { known.sighting.otherAddress = before.address ?? "another machine" }
            known.earlier = (last, before.address)
        }
        seen[sighting.identity] = known
    }

    /// Those that were seen since the last look.
    mutating func take() -> [PeerSighting] {
        var taken: [PeerSighting] = []
        for (identity, known) in seen where known.isNew {
            taken.append(known.sighting)
            seen[identity]?.isNew = false
            // Told once.
            seen[identity]?.sighting.otherAddress = nil
        }
        return taken
    }

    /// What could not be written is taken again the next time, unless it was seen since.
    mutating func giveBack(_ sightings: [PeerSighting]) {
        for sighting in sightings {
            guard var known = seen[sighting.identity] else { continue }
            known.sighting.otherAddress = known.sighting.otherAddress ?? sighting.otherAddress
            known.isNew = true
            seen[sighting.identity] = known
        }
    }

    private mutating func makeRoom() -> Bool {
        guard seen.count >= Self.max else { return true }
        seen = seen.filter { $0.value.isNew }
        return seen.count < Self.max
    }
}

/// The sightings of a center's requests, shared by its connections.
final class SightingBook: Sendable {
    private let sightings = Mutex(PeerSightings())

    func note(_ sighting: PeerSighting) { sightings.withLock { $0.note(sighting) } }
    func take() -> [PeerSighting] { sightings.withLock { $0.take() } }
    func giveBack(_ taken: [PeerSighting]) { sightings.withLock { $0.giveBack(taken) } }
}
