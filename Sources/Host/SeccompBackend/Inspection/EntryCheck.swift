// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import UnwindTables

/// Checks whether the call before a return address can have entered a function: by the files of the images, which no process
/// can change in its memory.
///
/// - `call rel32` must reach the function: itself, a stub of the linkage table that leads to it, or a function that passes its
///   caller on to it by jumps alone (`execv` to `execve`).
/// - A call through an import table must have a symbol of the function's in its slot, by the relocations.
/// - A call through a register or other memory can't be checked.
struct EntryCheck {
    enum Result: Hashable {
        case possible
        case unchecked
        case impossible
    }

    /// A function that was entered, in its image.
    struct Entered {
        var image: CodeImage
        var range: Range<UInt64>
    }

    /// How many functions are followed through their jumps, and how many bytes of one.
    private static let maxFunctions = 64
    private static let maxFunctionBytes: UInt64 = 64 << 10
    /// How much is read of a function that the tables don't name.
    private static let unnamedFunctionBytes: UInt64 = 256
    private static let stubBytes = 16

    let view: ProcessView
    let entered: Entered
    private var visited: Set<Place> = []
    /// Whether the answer rests on what the process has in its memory.
    private var hasReadMemory = false

    private struct Place: Hashable {
        var image: ImageTables.Key
        var address: UInt64
    }

    init(_ view: ProcessView, entered: Entered) {
        self.view = view
        self.entered = entered
    }

    /// - Parameters:
    ///   - address: a return address.
    ///   - span: the mapping it lies in, of `image`.
    mutating func check(returnAddress address: UInt64, in span: epitope_span, of image: CodeImage) -> Result {
        let place = span.offset &+ (address - span.start)
        let site = CodeImage.CallSite(place: place, library: entered.image.key, function: entered.range.lowerBound)
        if let known = image.checks[site] { return known }
        guard let before = image.headers?.address(ofFileOffset: place - 1) else { return .impossible }
        let own = before &+ 1
        let bytes = image.bytes(endingAt: own, count: CallForm.maxLength)
        var result = Result.impossible
        for reading in CallForm.readings(of: bytes, endingAt: own) {
            let found =
                switch reading {
                case .direct(let target): reach(image, target, loadedBy: Self.base(of: image, span))
                case .slot(let slot): reachThroughSlot(image, slot, loadedBy: Self.base(of: image, span))
                case .indirect: Result.unchecked
                }
            result = Self.better(result, found)
        }
        // Its memory may say something else the next time.
        if !hasReadMemory || result != .impossible {
            if image.checks.count >= CodeImage.maxSites { image.checks.removeAll(keepingCapacity: true) }
            image.checks[site] = result
        }
        return result
    }

    private static func better(_ one: Result, _ other: Result) -> Result {
        one == .possible || other == .possible ? .possible : one == .unchecked || other == .unchecked ? .unchecked : .impossible
    }

    /// The distance from an image's addresses before relocation to those in the process.
    private static func base(of image: CodeImage, _ span: epitope_span) -> UInt64? {
        // A segment's mapping begins at the page that its first byte lies in.
        for delta in [0, 0xFFF] as [UInt64] {
            guard let address = image.headers?.address(ofFileOffset: span.offset &+ delta) else { continue }
            return span.start &+ delta &- address
        }
        return nil
    }

    /// Whether code at an address reaches the entered function with its caller unchanged.
    private mutating func reach(_ image: CodeImage, _ target: UInt64, loadedBy base: UInt64?) -> Result {
        if image === entered.image, entered.range.contains(target) { return .possible }
        guard visited.insert(Place(image: image.key, address: target)).inserted else { return .impossible }
        guard visited.count <= Self.maxFunctions else { return .unchecked }
        if let slot = FunctionJumps.slot(ofStub: image.bytes(at: target, count: Self.stubBytes), at: target) {
            return reachThroughSlot(image, slot, loadedBy: base)
        }
        let known = image.table?.function(at: target)?.range
        let (end, overflow) = target.addingReportingOverflow(Self.unnamedFunctionBytes)
        guard image.headers?.fileOffset(of: target) != nil, !overflow else { return .impossible }
        let range = known ?? target..<end
        guard range.upperBound > target, range.upperBound - target <= Self.maxFunctionBytes else { return .unchecked }
        let code = image.bytes(at: target, count: Int(range.upperBound - target))
        guard !code.isEmpty else { return .impossible }
        let jumps = FunctionJumps(in: code, at: target, of: range)
        // Without the function's end, what isn't found may lie behind it.
        var result: Result = jumps.isIndirect || known == nil ? .unchecked : .impossible
        for next in jumps.far {
            if image === entered.image, entered.range.contains(next) { return .possible }
            // Into another function, or the seldom part of this one.
            guard image.headers?.fileOffset(of: next) != nil else { continue }
            result = Self.better(result, reach(image, next, loadedBy: base))
            if result == .possible { return result }
        }
        for next in jumps.near where image.table?.function(at: next)?.range.lowerBound == next {
            result = Self.better(result, reach(image, next, loadedBy: base))
            if result == .possible { return result }
        }
        for slot in jumps.slots where image.content(ofSlot: slot) != nil {
            result = Self.better(result, reachThroughSlot(image, slot, loadedBy: base))
            if result == .possible { return result }
        }
        return result
    }

    /// Whether the function in a slot reaches the entered one. By the file first; where another image's function may stand in
    /// it, by what the slot holds now, which is no proof.
    private mutating func reachThroughSlot(_ image: CodeImage, _ slot: UInt64, loadedBy base: UInt64?) -> Result {
        let content = image.content(ofSlot: slot)
        var symbol: [UInt8]?
        switch content {
        case .own(let address): return reach(image, address, loadedBy: base)
        case .symbol(let number):
            symbol = image.symbolName(number)
            guard let name = symbol, let functions = entered.image.definedFunctions() else { break }
            for address in functions.addresses(named: name) where reach(entered.image, address, loadedBy: nil) == .possible {
                return .possible
            }
        case .chosenAtLoad, nil: break
        }
        hasReadMemory = true
        guard let base, let value = view.memory.words(base &+ slot, count: 1, size: 8).first,
            let span = view.space.span(at: value), span.protection.contains(.execute),
            let other = view.image(of: span),
            let otherBase = Self.base(of: other, span)
        else { return content == nil ? .unchecked : .impossible }
        // The symbol wasn't looked up yet, so the call was never made.
        if case .symbol = content, other === image,
            FunctionJumps.isUnresolvedStub(image.bytes(at: value &- otherBase, count: Self.stubBytes))
        {
            return .impossible
        }
        let result = reach(other, value &- otherBase, loadedBy: otherBase)
        // The function that the file asks for, in the image that it was found in: no other could stand there.
        if let symbol, other.definedFunctions()?.addresses(named: symbol).contains(value &- otherBase) == true { return result }
        // No slot of the import table but a variable: it may have held another function when the call was made.
        return result == .impossible && content != nil ? .impossible : .unchecked
    }
}
