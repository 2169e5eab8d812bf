import GoodwareFiles
import Testing
