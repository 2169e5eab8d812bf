// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Scheduling

/// The addresses of the centers of one site: one, or several over one store. The first is preferred.
public struct CenterList: Hashable, Sendable, CustomStringConvertible {
    /// Of a list: each is asked in turn when none answers.
    public static let maxAddresses = 8

    /// One to eight, each once.
    public let addresses: [CenterAddress]

    /// The preferred one.
    public var first: CenterAddress { addresses[0] }

    public init(_ address: CenterAddress) {
        addresses = [address]
    }

    /// - Parameter addresses: what stands twice is taken once.
    /// - Throws: `center-address-malformed` where there is none, or there are too many.
    public init(_ addresses: some Sequence<CenterAddress>) throws(EpitopeError) {
        var list: [CenterAddress] = []
        for address in addresses where !list.contains(address) { list.append(address) }
        guard (1...Self.maxAddresses).contains(list.count) else {
            throw EpitopeError(
                .addressMalformed, "a site has 1 to \(Self.maxAddresses) centers, not \(list.count)",
                remedy: "give the address of each center of the site, such as https://HOST:PORT")
        }
        self.addresses = list
    }

    /// - Parameter texts: addresses, or lists of them with commas in between.
    /// - Throws: `center-address-malformed`.
    public init(parsing texts: [String]) throws(EpitopeError) {
        var addresses: [CenterAddress] = []
        for text in texts.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            addresses.append(try CenterAddress(text.drop { $0 == " " }))
        }
        try self.init(addresses)
    }

    /// Checks the list that a center is to tell, as its settings state it; empty: it tells none.
    ///
    /// - Throws: `center-address-malformed`.
    public static func validate(told texts: [String]) throws(EpitopeError) {
        guard !texts.isEmpty else { return }
        let list = try CenterList(parsing: texts)
        guard list.addresses.count == texts.count else {
            throw EpitopeError(
                .addressMalformed, "the setting 'centers' names an address twice, or two in one",
                remedy: "give each center's address once, as an item of its own")
        }
    }

    /// The list that a center tells, for a client that reached that center: where the list doesn't name the center's address, as after a
    /// slip of the pen, the address stays, as the last one. A list that is changed to others is followed step by step.
    ///
    /// The same addresses in another order change nothing: of two centers whose lists each name the other first, a whole site would go
    /// from one to the other and back.
    ///
    /// - Parameter told: what the center's operator stated; empty: nothing.
    /// - Returns: `nil` where that can't be used, or changes nothing.
    func following(_ told: [String], from reached: CenterAddress) -> CenterList? {
        guard !told.isEmpty, told.count <= Self.maxAddresses, let list = try? CenterList(parsing: told) else { return nil }
        let kept = list.addresses.contains(reached) ? list : try? CenterList(list.addresses.prefix(Self.maxAddresses - 1) + [reached])
        return kept.flatMap { Set($0.addresses) == Set(addresses) ? nil : $0 }
    }

    /// With commas in between.
    public var description: String { addresses.map(\.description).joined(separator: ", ") }
}

/// Which of a site's centers is asked first: the one that answered last, and the preferred one again some time after it failed.
struct CenterChoice: Sendable {
    /// The number, in the list, of the center that is in use.
    private(set) var current = 0
    private var retry: RetryState

    /// How long a preferred center is left alone after it failed: longer each time, so that one that comes and goes is not asked by
    /// a whole site at once.
    static let returns = Backoff(initial: .seconds(60), maximum: .hours(1))

    init(returns: Backoff = Self.returns) {
        retry = RetryState(returns)
    }

    /// The order in which the centers of a list are asked: the one in use, and then the others as they are preferred.
    func order(of count: Int) -> [Int] { [current] + (0..<count).filter { $0 != current } }

    /// The center to try instead of the one in use, when nothing waits for the answer; `nil`: the one in use is preferred, or the others
    /// are left alone still.
    var returning: Int? { current > 0 && retry.remaining == nil ? 0 : nil }

    /// Says that a center failed, and another answered in its place.
    mutating func moved(to number: Int) {
        guard number != current else { return }
        if number > 0 { retry.failed() } else { retry.succeeded() }
        current = number
    }

    /// Says that the preferred center still doesn't answer.
    mutating func stillFails() { retry.failed() }
}

extension EpitopeError.Code {
    /// What says that this center can't do it, and another one of the site may: it doesn't answer, something else answers in its place, or
    /// its store or key is out of its reach, or another machine's. Not what concerns the sender, nor a center that has too much to do: a site that went from one
    /// busy center to the next would keep all of them busy.
    static let reasonsForAnotherCenter: Set<EpitopeError.Code> = [
        .centerUnreachable, .centerWrong, .centerOutOfDate, .answerMalformed, .storeFailed, .keyUnavailable, .authorityElsewhere,
    ]
}
