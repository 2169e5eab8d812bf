public import Captures
public import EpitopeModel
public import GoodwareFiles
public import Signatures
public import SignatureMaking

/// What signatures are proven with: goodware, captures, engines.
public struct ProvingMaterial: Sendable {
    public var goodware: GoodwareFile?

    public init(goodware: GoodwareFile?) {
        self.goodware = goodware
    }
}
